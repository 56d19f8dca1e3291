"""A student's history: changes as they were written, and the roster that has added it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from api.services import Services
from clients.database import student_changes
from clients.keys import KeyDestroyed, NoKey
from clients.student_changes import Change, open_change


@dataclass(frozen=True)
class Changed:
    kind: Literal["added", "changed"]
    at: datetime
    job_id: UUID | None
    who: str | None
    change: Change


@dataclass(frozen=True)
class History:
    """`next`: where the next page begins; None behind the last one."""

    changes: list[Changed]
    next: str | None


async def history(
    services: Services, tenant: int, student_id: int, before: int | None, limit: int
) -> History | None:
    """The newest first. None if the tenant has no such student, or its key was destroyed."""
    async with services.engine.connect() as connection:
        origin = await student_changes.origin(connection, tenant, student_id)
        if origin is None:
            return None
        rows = await student_changes.of_student(connection, tenant, student_id, before, limit)
        was_written = rows or before is not None
        roster = await student_changes.first_roster(connection, student_id) if was_written else origin.job_id
    try:
        sealer = await services.keys.opener(tenant)
    except (KeyDestroyed, NoKey):
        return None
    changes = [
        Changed("changed", row.at, row.job_id, row.who, open_change(sealer, student_id, row.sealed))
        for row in rows
    ]
    if len(rows) == limit:
        return History(changes, str(rows[-1].id))
    return History([*changes, Changed("added", origin.created_at, roster, None, Change({}))], None)
