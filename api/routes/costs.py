"""What an academy's messages cost, by month, class, kind and who sent them."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from api import costs, sheets
from api.auth.callers import Tenant, caller_of
from api.costs import MOST_MONTHS
from api.routing import first
from api.services import UseServices
from clients.database.costs import SentTo

Months = Annotated[int, Query(ge=1, le=MOST_MONTHS)]

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


class Cost(BaseModel):
    """`month` as 2026-11, in Korea. `sent_to`: `class` is one class, `class_id` (`class_title`: what it is
    called now, null of one without a title); `classes` are several, counted together; `people` were named one
    by one or by a system; `unknown` was not noted, before releases did. `channel`: what carried the messages.
    `asked_by`: who sent them, as the audit names callers; null of a queue. `messages` were delivered or may
    have been; `won` were charged."""

    month: str
    sent_to: SentTo
    class_id: int | None
    class_title: str | None
    channel: str
    asked_by: str | None
    messages: int
    failed: int
    won: str


class CostList(BaseModel):
    items: list[Cost]


@router.get("/message-costs")
async def list_costs(tenant: Tenant, services: UseServices, months: Months = 3) -> CostList:
    """This month and those before it, the newest first; of a year at most."""
    rows = await costs.of_months(services, tenant, months)
    items = [
        Cost(
            month=f"{row.month:%Y-%m}",
            sent_to=row.sent_to,
            class_id=row.class_id,
            class_title=row.class_title,
            channel=row.channel,
            asked_by=row.asked_by,
            messages=row.messages,
            failed=row.failed,
            won=str(row.won),
        )
        for row in rows
    ]
    return CostList(items=items)


@router.get(
    "/message-costs.xlsx",
    response_class=Response,
    responses={200: {"content": {sheets.MEDIA_TYPE: {}}}},
)
async def get_costs_sheet(tenant: Tenant, services: UseServices, months: Months = MOST_MONTHS) -> Response:
    """The same as a workbook, with its sum."""
    rows = await costs.of_months(services, tenant, months)
    book = await asyncio.to_thread(costs.workbook, rows)
    named = {"Content-Disposition": 'attachment; filename="message-costs.xlsx"'}
    return Response(book, media_type=sheets.MEDIA_TYPE, headers=named)
