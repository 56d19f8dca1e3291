"""The tests' side door, `/_simulator/...`, without authentication: listen on the loopback interface only."""

from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from devstack.solapi.answers import Json, Refusal, answer, iso
from devstack.solapi.faults import Fault, FaultBook
from devstack.solapi.kakao import new_channel, new_template
from devstack.solapi.provider import Provider
from devstack.solapi.webhooks import Webhooks, WebhookSettings

router = APIRouter(prefix="/_simulator")


class Button(BaseModel):
    """As Solapi writes a template's button; another form is a 422."""

    model_config = ConfigDict(extra="forbid")

    buttonType: str
    buttonName: str
    linkMo: str | None = None
    linkPc: str | None = None
    linkAnd: str | None = None
    linkIos: str | None = None
    targetOut: bool | None = None
    chatExtra: str | None = None


class Template(BaseModel):
    """An Alimtalk template; its channel is made if it does not exist. `parts` are what an ITEM_LIST or an
    emphasis has beside its content: header, highlight, item, emphasizeTitle, extra, quickReplies …"""

    template_id: str
    pf_id: str
    content: str
    name: str = "템플릿"
    status: Literal["PENDING", "INSPECTING", "APPROVED", "REJECTED"] = "APPROVED"
    buttons: list[Button] = Field(default_factory=list)
    parts: Json = Field(default_factory=dict)


class Change(BaseModel):
    """Settings to change; those left out stay. Seconds as in `provider.Pace`."""

    model_config = ConfigDict(extra="forbid")

    senders: set[str] | None = None
    inactive_apps: set[str] | None = None
    balance: int | None = None
    spread: float | None = Field(default=None, ge=0)
    soon: float | None = Field(default=None, ge=0)
    late: float | None = Field(default=None, ge=0)


class Amount(BaseModel):
    amount: int


class Advance(BaseModel):
    seconds: float = Field(ge=0)


async def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    provider.settle()
    return provider


async def _faults(request: Request) -> FaultBook:
    faults: FaultBook = request.app.state.faults
    return faults


async def _webhooks(request: Request) -> Webhooks:
    webhooks: Webhooks = request.app.state.webhooks
    return webhooks


Here = Annotated[Provider, Depends(_provider)]
Faults = Annotated[FaultBook, Depends(_faults)]
Hooks = Annotated[Webhooks, Depends(_webhooks)]


@router.get("/health")
async def health() -> Response:
    return answer({"status": "ok"})


@router.post("/faults")
async def order_fault(fault: Fault, faults: Faults) -> Fault:
    return faults.order(fault)


@router.get("/faults")
async def list_faults(faults: Faults) -> list[Fault]:
    return list(faults.faults.values())


@router.delete("/faults")
async def clear_faults(faults: Faults) -> Response:
    faults.faults.clear()
    return answer({})


@router.delete("/faults/{fault_id}")
async def remove_fault(fault_id: int, faults: Faults) -> Response:
    if faults.faults.pop(fault_id, None) is None:
        raise Refusal(404, "ResourceNotFound", "no such fault")
    return answer({})


@router.get("/ledger")
async def ledger(provider: Here, match: str | None = None) -> Response:
    return answer(provider.sent_entries(match))


@router.get("/groups")
async def groups(provider: Here, match: str | None = None) -> Response:
    now = provider.clock.now()
    found = [g for g in provider.groups.values() if match is None or match in g.fields.values()]
    return answer([group.view(now) for group in found])


@router.get("/calls")
async def calls(request: Request, match: str | None = None) -> Response:
    kept = request.app.state.gate.calls
    return answer([call for call in kept if match is None or match in call["values"]])


@router.post("/balance")
async def top_up(amount: Amount, provider: Here) -> Response:
    provider.balance += amount.amount
    return answer({"balance": provider.balance})


@router.post("/clock")
async def advance(by: Advance, provider: Here) -> Response:
    provider.clock.offset += by.seconds
    provider.settle()
    return answer({"now": iso(provider.clock.now())})


@router.get("/clock")
async def clock(provider: Here) -> Response:
    return answer({"now": iso(provider.clock.now())})


@router.put("/webhook")
async def configure_webhook(settings: WebhookSettings, hooks: Hooks) -> WebhookSettings:
    hooks.configure(settings)
    return settings


@router.get("/webhook")
async def webhook(hooks: Hooks) -> Response:
    return answer({name: hooks.counts[name] for name in ("sent", "failed", "dropped")})


@router.patch("/settings")
async def change(change: Change, provider: Here) -> Response:
    given: dict[str, Any] = change.model_dump(exclude_none=True)
    provider.account.senders = given.pop("senders", provider.account.senders)
    provider.inactive_apps = given.pop("inactive_apps", provider.inactive_apps)
    provider.balance = given.pop("balance", provider.balance)
    provider.pace = replace(provider.pace, **given)
    return answer(asdict(provider.pace) | {"balance": provider.balance})


@router.post("/templates")
async def add_template(template: Template, provider: Here) -> Response:
    return answer(register_template(provider, template))


@router.get("/files/{file_id}", name="file")
async def file(file_id: str, provider: Here) -> Response:
    if (found := provider.account.files.get(file_id)) is None:
        raise Refusal(404, "ResourceNotFound", "no such file")
    return Response(found, media_type="image/jpeg", headers={"X-Content-Type-Options": "nosniff"})


def register_template(provider: Provider, template: Template) -> Json:
    now = provider.clock.now()
    provider.account.channels.setdefault(template.pf_id, new_channel(template.pf_id, now))
    parts: Json = {
        "name": template.name,
        "content": template.content,
        "status": template.status,
        "buttons": [each.model_dump(exclude_none=True) for each in template.buttons],
    }
    made = new_template(template.template_id, template.pf_id, now, parts | template.parts)
    provider.account.templates[template.template_id] = made
    return made
