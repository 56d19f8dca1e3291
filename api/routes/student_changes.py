"""What was changed of a student, when, and by which roster or whom."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api import student_changes
from api.auth.callers import Tenant, caller_of
from api.params import StudentId
from api.problems import not_found
from api.routing import first
from api.services import UseServices

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


class FieldChanged(BaseModel):
    before: str | None
    after: str | None


class ChangeShown(BaseModel):
    """`kind`: `added` with no fields, or `changed`. `job_id` is the roster, or the job that took one back,
    with `sheet` and `row` of the file; `who` somebody who has changed it by hand."""

    kind: str
    at: datetime
    job_id: UUID | None
    who: str | None
    sheet: str | None
    row: int | None
    fields: dict[str, FieldChanged]


class ChangeList(BaseModel):
    items: list[ChangeShown]
    next_cursor: str | None


@router.get("/students/{student_id}/changes")
async def list_student_changes(
    student_id: StudentId,
    tenant: Tenant,
    services: UseServices,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
) -> ChangeList:
    """The newest first; the last of all says when the student was added. `cursor` is the `next_cursor` of a
    page. What happened before this release is not known."""
    before = int(cursor) if cursor else None
    found = await student_changes.history(services, tenant, student_id, before, limit)
    if found is None:
        raise not_found("student")
    items = [
        ChangeShown(
            kind=each.kind,
            at=each.at,
            job_id=each.job_id,
            who=each.who,
            sheet=each.change.sheet or None,
            row=each.change.row or None,
            fields={
                name: FieldChanged(before=old, after=new) for name, (old, new) in each.change.fields.items()
            },
        )
        for each in found.changes
    ]
    return ChangeList(items=items, next_cursor=found.next)
