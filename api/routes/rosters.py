"""Columns of rosters that somebody has named: kept for the next roster with the same line of labels."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api import roster_columns
from api.auth.callers import Tenant, caller_of
from api.problems import not_found
from api.routing import first
from api.services import UseServices
from clients.database import roster_columns as queries
from clients.database.erasing import TenantErased
from clients.keys import KeyDestroyed
from contracts.base import Outside
from contracts.payloads import RosterField
from rules.roster.columns import plain

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))

Label = Annotated[str, Field(min_length=1, max_length=60)]
HeaderId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


class ColumnsNamed(Outside):
    """`labels` is the whole line, from left to right, and `columns` what some of them are; null: nothing that
    is read. A field stands once."""

    model_config = ConfigDict(extra="forbid")

    labels: list[Label] = Field(min_length=1, max_length=200)
    columns: dict[Label, RosterField | None] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _agrees(self) -> "ColumnsNamed":
        fields = [field for field in self.columns.values() if field]
        known = [plain(label) for label in self.labels]
        if any(known.count(plain(label)) != 1 for label in self.columns):
            raise ValueError("a column is named by a label that stands once in the line")
        if len(set(fields)) < len(fields) or len(set(map(plain, self.columns))) < len(self.columns):
            raise ValueError("a field or a label is named twice")
        return self


class ColumnsKept(BaseModel):
    id: str
    labels: list[str]
    columns: dict[str, RosterField | None]
    updated_at: datetime


class ColumnsList(BaseModel):
    items: list[ColumnsKept]


class ColumnsId(BaseModel):
    id: str


@router.get("/roster-columns")
async def list_columns(tenant: Tenant, services: UseServices) -> ColumnsList:
    """The newest 200."""
    found = await roster_columns.listed(services, tenant)
    return ColumnsList(items=[ColumnsKept.model_validate(each._asdict()) for each in found])


@router.put("/roster-columns")
async def keep_columns(body: ColumnsNamed, tenant: Tenant, services: UseServices) -> ColumnsId:
    """Keep them, in place of those of the same line. They are offered in the console and read by no job of
    their own accord: send them as `columns` of a roster."""
    try:
        return ColumnsId(id=await roster_columns.remember(services, tenant, body.labels, body.columns))
    except KeyDestroyed:
        raise TenantErased from None


@router.delete("/roster-columns/{header_id}", status_code=204)
async def forget_columns(header_id: HeaderId, tenant: Tenant, services: UseServices) -> None:
    """Offer them no more."""
    async with services.engine.begin() as connection:
        if not await queries.forget(connection, tenant, bytes.fromhex(header_id)):
            raise not_found("line of labels")
