"""The academy's Alimtalk templates: what KakaoTalk says of them, and a new one."""

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from api import alimtalk
from api.console.pages import Tenant, page, signed_in
from api.routing import first
from api.services import UseServices
from contracts.alimtalk import BUTTONS, CONTENT_LENGTH, NAME_LENGTH

router = APIRouter(route_class=first(signed_in))


@router.get("/messages/alimtalk")
async def templates(request: Request, services: UseServices, tenant: Tenant) -> Response:
    """With the provider's kinds, where it answers and the academy may register some."""
    found = await alimtalk.look(services, tenant)
    kinds: list[tuple[str, str]] = []
    if found.answered and found.channel and found.channel.own:
        try:
            kinds = await alimtalk.categories(services)
        except HTTPException:
            kinds = []  # the list is worth more than the form
    return page(
        request,
        "alimtalk.html",
        found=found,
        kinds=kinds,
        name_length=NAME_LENGTH,
        content_length=CONTENT_LENGTH,
        buttons=BUTTONS,
    )
