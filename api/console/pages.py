"""Who looks, in which language, and how a page is made."""

import asyncio
import math
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from api.auth.people import Staff
from api.auth.sessions import Purpose
from api.auth.staff import identify, known_staff
from api.console import result_words, translations
from api.console.may import acts_for, may
from api.services import get_services
from contracts.errors import words_of
from rules.quiet_hours import KST

HERE = Path(__file__).parent
LANGUAGES = ("ko", "en")


class NotSignedIn(Exception):
    """No valid staff token."""


class ServerAway(Exception):
    """A server that the page needs does not answer: `postgres`, `temporal`, `objects` or `queues`."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self.server = server


async def someone(request: Request) -> Staff:
    """Who is signed in, looked up once for each request. Raises NotSignedIn."""
    if (known := known_staff(request)) is None:
        try:
            known = await identify(request, Purpose.CONSOLE, "cookie", use=not _is_stream(request))
        except HTTPException as error:
            if error.status_code != 401:
                raise
            raise NotSignedIn from None
        request.state.staff = known
        request.state.proven = True
    return known


async def signed_in_still(request: Request) -> bool:
    """Whether who was found to ask would be let in now. Looking is no use of the session."""
    try:
        return await identify(request, Purpose.CONSOLE, "cookie", use=False) == known_staff(request)
    except HTTPException:
        return False


def _is_stream(request: Request) -> bool:
    """A window that was left open asks for its stream again and again, and nobody sits there."""
    return "text/event-stream" in request.headers.get("accept", "")


async def signed_in(request: Request) -> None:
    """Before a body is read. Raises NotSignedIn."""
    await someone(request)


def operator(staff: Annotated[Staff, Depends(someone)]) -> Staff:
    """An operator. To others the page is not there."""
    if staff.role != "operator":
        raise HTTPException(404)
    return staff


def tenant(staff: Annotated[Staff, Depends(someone)]) -> int:
    """The academy of who is signed in. To operators without one the page is not there."""
    if staff.tenant_id is None:
        raise HTTPException(404)
    return staff.tenant_id


Someone = Annotated[Staff, Depends(someone)]
Operator = Annotated[Staff, Depends(operator)]
Tenant = Annotated[int, Depends(tenant)]


def language(request: Request) -> str:
    """What was chosen, else the first of ours that the browser accepts (RFC 9110, 12.5.4), else Korean."""
    if (chosen := request.cookies.get("language")) in LANGUAGES:
        return chosen
    wanted = []
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((float(quality or 1), tag[:2].lower()))
        except ValueError:
            continue
    ours = [each for each in wanted if each[1] in LANGUAGES and each[0] > 0]
    return max(ours, key=lambda each: each[0])[1] if ours else "ko"


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    text = render(request, template, status=status, **values)
    return HTMLResponse(text.encode(errors="backslashreplace"), status)


async def large_page(request: Request, template: str, **values: Any) -> HTMLResponse:
    """One with so much on it that others should not wait for it."""
    return await asyncio.to_thread(page, request, template, **values)


def render(request: Request, template: str, **values: Any) -> str:
    """A template with `t(ko, en)`, the staff (None before login, or whom `values` name), what they may, and
    `values`."""
    lang = language(request)
    staff = values.pop("staff", None) or known_staff(request)
    return (
        environment()
        .get_template(template)
        .render(
            lang=lang,
            t=lambda ko, en: ko if lang == "ko" else en,
            words=translations.In(lang),
            reason=lambda code: getattr(words_of(code), lang, code),
            remark=partial(result_words.remark, lang=lang),
            fact=partial(result_words.fact, lang=lang),
            staff=staff,
            may=partial(may, staff),
            acts_for=partial(acts_for, staff),
            path=request.url.path,
            settings=get_services(request).settings,
            **values,
        )
    )


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(when=when, size=size, clock=clock, won=won)
    made.globals.update(ways=tuple(translations.ATTENDANCE))
    return made


def when(at: datetime | None) -> Markup:
    """`<time>` in Korean time, with its day; to the second on this one."""
    if at is None:
        return Markup("–")
    there = at.astimezone(KST)
    today = datetime.now(UTC).astimezone(KST).date()
    shown = there.strftime("%m-%d %H:%M:%S" if there.date() == today else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), shown)


def clock(seconds: float | None) -> str:
    """`1:02:03`; `–` for None."""
    if seconds is None:
        return "–"
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def size(count: int) -> str:
    """Bytes for people: `3.2 MB`."""
    if count < 1000:
        return f"{count} B"
    power = min(int(math.log10(count) // 3), 4)
    amount = count / 1000**power
    return f"{amount:.{0 if amount >= 100 else 1}f} {' KMGT'[power]}B"


def won(amount: Decimal | int) -> str:
    return f"{amount:,.0f}"
