"""Texts that the academy keeps: write, change, remove, and see how they were."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from api import text_templates
from api.console.pages import Tenant, page, signed_in
from api.routing import first
from api.services import UseServices
from clients.database import text_templates as database
from contracts.text_templates import NAME_LENGTH, TemplateName

router = APIRouter(route_class=first(signed_in))
VERSIONS = 50  # of one text, the last ones


@router.get("/messages/templates")
async def templates(
    request: Request,
    services: UseServices,
    tenant: Tenant,
    name: Annotated[TemplateName | None, Query()] = None,
) -> Response:
    """All texts as they are now, or the versions of one."""
    async with services.engine.connect() as connection:
        rows = (
            await database.versions(connection, tenant, name, VERSIONS)
            if name
            else await database.newest(connection, tenant)
        )
    if name and not rows:
        raise HTTPException(404)
    texts = await text_templates.opened(services, tenant, rows)
    return page(request, "text_templates.html", texts=texts, name=name, name_length=NAME_LENGTH)
