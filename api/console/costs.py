"""What the academy's messages cost, month by month, and for each class."""

from itertools import groupby

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import costs
from api.console.pages import Tenant, language, page, signed_in
from api.routing import first
from api.services import UseServices

router = APIRouter(route_class=first(signed_in))


@router.get("/messages/costs")
async def by_month(request: Request, services: UseServices, tenant: Tenant) -> Response:
    rows = await costs.of_months(services, tenant, costs.MOST_MONTHS)
    months = [(month, list(some)) for month, some in groupby(rows, lambda row: row.month)]
    return page(
        request,
        "costs.html",
        months=months,
        ko=language(request) == "ko",
        sender_of=costs.sender_of,
        class_of=costs.class_of,
        by_class=costs.by_class,
    )
