"""Who looked at whose data and changed what, for those who manage an academy, and for operators."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.console.pages import Someone, page, signed_in
from api.params import Before
from api.routing import first
from api.services import UseServices
from clients.database import audit

router = APIRouter(route_class=first(signed_in))
LINES = 100


@router.get("/audit")
async def records(request: Request, services: UseServices, staff: Someone, before: Before = None) -> Response:
    tenant = None if staff.role == "operator" else staff.tenant_id
    async with services.engine.connect() as connection:
        found = await audit.page(connection, tenant, before, LINES)
    more = found[-1].id if len(found) == LINES else None
    return page(request, "audit.html", records=found, more=more)
