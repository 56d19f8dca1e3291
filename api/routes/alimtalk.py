"""Alimtalk templates: what the provider has, registering one, and having it looked at."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from api import alimtalk
from api.auth.callers import Tenant, caller_of
from api.routing import first
from api.services import UseServices
from contracts.alimtalk import AlimtalkTemplate, NewAlimtalkTemplate

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))

TemplateId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class TemplateButton(BaseModel):
    type: str
    name: str
    link_mobile: str | None
    link_pc: str | None
    link_android: str | None
    link_ios: str | None


class TemplateRemark(BaseModel):
    """`by_provider`: of who looks at it; `at` as the provider writes times."""

    by_provider: bool
    at: str | None
    text: str


class AlimtalkShown(BaseModel):
    """`status`: PENDING (nobody has been asked to look at it), INSPECTING, APPROVED, REJECTED, or GONE, which
    is ours: it is listed no more. `variables`: names that its texts ask for, and each recipient needs a value
    of. `waiting_jobs`: how many that have not ended use it."""

    template_id: str
    name: str
    status: str
    content: str
    buttons: list[TemplateButton]
    variables: list[str]
    remarks: list[TemplateRemark]
    waiting_jobs: int


class AlimtalkList(BaseModel):
    """`own_channel`: false where the academy shares a channel, whose templates are there to be looked at, or
    has none. `remembered_at`: the provider does not answer, and names and states are of then; null as well
    where nothing is remembered."""

    items: list[AlimtalkShown]
    own_channel: bool
    provider_answered: bool
    remembered_at: datetime | None


class Category(BaseModel):
    code: str
    name: str


class CategoryList(BaseModel):
    items: list[Category]


@router.get("/alimtalk-templates")
async def list_alimtalk_templates(tenant: Tenant, services: UseServices) -> AlimtalkList:
    """Those of the academy's channel, by name, as the provider has them now."""
    found = await alimtalk.look(services, tenant)
    waiting = found.waiting or {}
    return AlimtalkList(
        items=[_shown(each, waiting.get(each.template_id, 0)) for each in found.items],
        own_channel=found.channel is not None and found.channel.own,
        provider_answered=found.answered,
        remembered_at=found.remembered_at,
    )


@router.get("/alimtalk-categories")
async def list_alimtalk_categories(tenant: Tenant, services: UseServices) -> CategoryList:
    """The provider's kinds of templates, one of which each template has."""
    found = await alimtalk.categories(services)
    return CategoryList(items=[Category(code=code, name=name) for code, name in found])


@router.post("/alimtalk-templates", status_code=201)
async def add_alimtalk_template(
    body: NewAlimtalkTemplate, tenant: Tenant, services: UseServices
) -> AlimtalkShown:
    """Register a template. Nobody looks at it before that is asked for. The same again is the one that is
    there. 409 for an academy without a channel of its own, 422 for what the provider refuses, 502 where it
    may have been done, 503 where the provider cannot be asked."""
    return _shown(await alimtalk.register(services, tenant, body), 0)


@router.post("/alimtalk-templates/{template_id}/inspection")
async def inspect_alimtalk_template(
    template_id: TemplateId, tenant: Tenant, services: UseServices
) -> AlimtalkShown:
    """Have a PENDING template looked at; it may be used once it is APPROVED."""
    return _shown(await alimtalk.inspection(services, tenant, template_id, wanted=True), 0)


@router.delete("/alimtalk-templates/{template_id}/inspection")
async def leave_alimtalk_template(
    template_id: TemplateId, tenant: Tenant, services: UseServices
) -> AlimtalkShown:
    """Have an INSPECTING template looked at no more: it is PENDING again."""
    return _shown(await alimtalk.inspection(services, tenant, template_id, wanted=False), 0)


def _shown(template: AlimtalkTemplate, waiting: int) -> AlimtalkShown:
    return AlimtalkShown(
        template_id=template.template_id,
        name=template.name,
        status=template.status,
        content=template.content,
        buttons=[TemplateButton(**each.model_dump()) for each in template.buttons],
        variables=list(template.variables),
        remarks=[TemplateRemark(**each.model_dump()) for each in template.remarks],
        waiting_jobs=waiting,
    )
