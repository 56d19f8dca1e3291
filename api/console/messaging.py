"""Messages to parents: write with a preview, and see how each ended."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import FailFast, Field
from starlette.responses import Response

from api.console import alimtalk_templates, queries
from api.console.jobs import find
from api.console.pages import Someone, Tenant, language, page, signed_in
from api.routing import first
from api.services import UseServices
from clients.database import credits
from clients.database import messaging as database
from clients.database.credits import AccountRow
from clients.database.listings import SENDINGS
from contracts.errors import REASONS
from contracts.messaging import Account, Channel, Composed, Draft, Private, Recipient
from rules.messaging import phones
from rules.messaging.compose import ALIMTALK_CHARACTERS, LMS_BYTES, SMS_BYTES, compose
from rules.messaging.text import size
from rules.messaging.unsendable import Unsendable

router = APIRouter(route_class=first(signed_in))
SHOWN = 20  # previews; all recipients are counted
PER_PAGE = 100
PRICES = {
    Channel.SMS: "price_sms",
    Channel.LMS: "price_lms",
    Channel.MMS: "price_mms",
    Channel.ATA: "price_ata",
}


@router.get("/messages")
async def sendings(request: Request, services: UseServices, tenant: Tenant, show: str = "all") -> Response:
    if show not in SENDINGS:
        raise HTTPException(404)
    async with services.engine.connect() as connection:
        account = await credits.account(connection, tenant)
    found = await queries.sendings(services.engine, services.board, tenant, show)
    return page(request, "messages.html", sendings=found, show=show, account=account)


@router.get("/messages/new")
async def write(request: Request, services: UseServices, tenant: Tenant) -> Response:
    async with services.engine.connect() as connection:
        account = await credits.account(connection, tenant)
        numbers = await database.sender_numbers(connection, tenant)
    return page(
        request,
        "compose.html",
        account=account,
        numbers=sorted(numbers),
        sms_bytes=SMS_BYTES,
        lms_bytes=LMS_BYTES,
        alimtalk_characters=ALIMTALK_CHARACTERS,
    )


class Preview(Private):
    draft: Draft
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=1_000), FailFast()]


@router.post("/messages/preview")
async def preview(request: Request, services: UseServices, tenant: Tenant, what: Preview) -> dict[str, Any]:
    """What each recipient would get and what it would cost: the checks of sending, without sending."""
    lang = language(request)
    async with services.engine.connect() as connection:
        known = await credits.account(connection, tenant)
        numbers = await database.sender_numbers(connection, tenant)
    if known is None:
        raise HTTPException(404)
    account = Account.model_validate(asdict(known) | {"sender_numbers": numbers})
    template = await alimtalk_templates.find(services, what.draft)

    default_pf_id = services.settings.solapi_kakao_pf_id

    def composed(recipient: Recipient) -> Composed:
        return compose(what.draft, recipient, account, template, default_pf_id)

    return await asyncio.to_thread(_previews, what.recipients, composed, known, lang)


def _previews(
    recipients: Sequence[Recipient], composed: Callable[[Recipient], Composed], known: AccountRow, lang: str
) -> dict[str, Any]:
    shown: list[dict[str, Any]] = []
    total, wrong = Decimal(0), 0
    for position, recipient in enumerate(recipients):
        try:
            message = composed(recipient)
        except Unsendable as error:
            wrong += 1
            text = getattr(REASONS[error.code], lang)
            one: dict[str, Any] = {"code": error.code, "error": text, "detail": error.detail}
        else:
            price = _price(message, known)
            total += price
            one = _shown(message) | {"price": float(price)}
        if position < SHOWN or ("error" in one and len(shown) < 2 * SHOWN):
            shown.append({"position": position + 1} | one)
    return {
        "recipients": shown,
        "count": len(recipients),
        "wrong": wrong,
        "total": float(total),
        "balance": float(known.credit_balance),
    }


@router.get("/messages/{job_id}")
async def sending(
    request: Request,
    services: UseServices,
    tenant: Tenant,
    staff: Someone,
    job_id: UUID,
    after: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
) -> Response:
    job = await find(request, staff, job_id)
    if job.job_type not in queries.MESSAGE_TYPES or job.tenant_id != tenant:
        raise HTTPException(404)
    async with services.engine.connect() as connection:
        about = await database.find_job(connection, job.id)
        states = await database.counts(connection, job.id)
        people = await database.recipients(connection, job.id, after, PER_PAGE)
    return page(
        request,
        "message.html",
        job=job,
        about=about,
        states=states,
        people=people,
        after=after,
        more=people[-1].position if len(people) == PER_PAGE else None,
        problems=(job.result or {}).get("problems", []),
    )


def _price(composed: Composed, account: Any) -> Decimal:
    """What may be charged at most: with a fallback, the dearer of the two."""
    channels = [each for each in (composed.channel, composed.fallback) if each]
    return max(Decimal(getattr(account, PRICES[each])) for each in channels)


def _shown(composed: Composed) -> dict[str, Any]:
    kakao = composed.channel is Channel.ATA and composed.fallback is None
    return {
        "phone": phones.mask(composed.to),
        "channel": composed.channel,
        "fallback": composed.fallback,
        "subject": composed.subject,
        "text": composed.text,
        "length": len(composed.text) if kakao else size(composed.text),
        "unit": "characters" if kakao else "bytes",
    }
