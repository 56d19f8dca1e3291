"""Texts that an academy keeps under a name, with their versions."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from api import text_templates
from api.auth.callers import Tenant, caller_of
from api.problems import not_found
from api.routing import first
from api.services import UseServices
from api.text_templates import Kept
from clients.database import text_templates as database
from contracts.text_templates import TemplateName, TextTemplate

Version = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[TemplateName, Path()]

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


class TemplateShown(BaseModel):
    """`variables`: what `text` and `subject` have of `#{name}`, and each recipient needs a value of."""

    name: str
    version: int
    text: str
    subject: str | None
    variables: list[str]
    written_by: str
    written_at: datetime


class TemplateList(BaseModel):
    items: list[TemplateShown]


class NewVersion(TextTemplate):
    """`after`: the version that it is to follow, 0 for the first; left out: whatever is the last."""

    after: Version | None = None


@router.get("/message-templates")
async def list_text_templates(tenant: Tenant, services: UseServices) -> TemplateList:
    """The last version of each text, by name."""
    async with services.engine.connect() as connection:
        rows = await database.newest(connection, tenant)
    return TemplateList(items=[_shown(each) for each in await text_templates.opened(services, tenant, rows)])


@router.get("/message-templates/{name}")
async def get_text_template(
    name: Name, tenant: Tenant, services: UseServices, version: Annotated[Version | None, Query()] = None
) -> TemplateShown:
    """A text as it is now, or a version of it."""
    found = await text_templates.find(services, tenant, name, version)
    if found is None:
        raise not_found("template")
    return _shown(found)


@router.put("/message-templates/{name}")
async def put_text_template(
    name: Name, body: NewVersion, tenant: Tenant, request: Request, services: UseServices
) -> TemplateShown:
    """Write a new version; the same text again is the same version. What was accepted before keeps its text.
    422 for a character that no message carries, 409 where somebody else has written after `after`."""
    by = (await caller_of(request)).name
    content = TextTemplate(text=body.text, subject=body.subject)
    return _shown(await text_templates.write(services, tenant, name, content, by, body.after))


@router.delete("/message-templates/{name}", status_code=204)
async def remove_text_template(name: Name, tenant: Tenant, services: UseServices) -> None:
    """Remove a text with all its versions. What was accepted before keeps its text."""
    async with services.engine.begin() as connection:
        if not await database.remove(connection, tenant, name):
            raise not_found("template")


def _shown(kept: Kept) -> TemplateShown:
    return TemplateShown(
        name=kept.name,
        version=kept.version,
        text=kept.content.text,
        subject=kept.content.subject,
        variables=kept.variables,
        written_by=kept.written_by,
        written_at=kept.written_at,
    )
