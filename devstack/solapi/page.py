"""`GET /`: the phones. Everything that was sent, newest first, one card for each recipient."""

import base64
import hashlib
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template

from fastapi import APIRouter, Request, Response

from devstack.solapi.carriers import ACCEPTED, AT_CARRIER, DELIVERED, LEGEND, MEANINGS
from devstack.solapi.messages import Message
from devstack.solapi.provider import KST, Provider

RECENT = 300  # messages on the page
PER_PHONE = 5

CHANNELS = {"SMS": "SMS", "LMS": "LMS", "MMS": "MMS", "ATA": "알림톡"}

SCRIPT = """setInterval(async () => {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of [".figures", ".threads, .empty"]) {
    const from = fresh.querySelector(part), to = document.querySelector(part);
    if (from.outerHTML !== to.outerHTML) to.replaceWith(from);
  }
}, 1500);"""

_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; connect-src 'self'; "
        f"script-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}

_PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))

router = APIRouter()


@router.get("/")
async def phones(request: Request) -> Response:
    provider: Provider = request.app.state.provider
    provider.settle()
    html = _PAGE.substitute(
        figures=_figures(provider),
        legend="".join(
            f"<dt>{escape(number)}</dt><dd>{escape(fate)}</dd>" for number, fate in LEGEND.items()
        ),
        threads=_threads(provider),
        script=SCRIPT,
    )
    return Response(html, media_type="text/html", headers=HEADERS)


def _figures(provider: Provider) -> str:
    now = provider.clock.now()
    kinds = [_kind(message.at(now).code) for message in provider.ledger]
    figures = {
        "보낸 메시지": f"{len(kinds):,}",
        "수신 완료": f"{kinds.count('delivered'):,}",
        "전송 중": f"{kinds.count('pending'):,}",
        "실패": f"{kinds.count('failed'):,}",
        "잔액": f"{provider.balance:,}원",
    }
    return "".join(f"<div><span>{name}</span><b>{value}</b></div>" for name, value in figures.items())


def _threads(provider: Provider) -> str:
    now = provider.clock.now()
    threads: dict[str, list[Message]] = {}
    for message in reversed(provider.ledger[-RECENT:]):
        threads.setdefault(message.to, []).append(message)
    if not threads:
        return '<p class="empty">아직 받은 문자가 없습니다.</p>'
    cards = [
        f'<section class="thread"><h2>{escape(_number(to))} <small>{len(messages)}건</small></h2>'
        f"{''.join(_message(message, now) for message in messages[:PER_PHONE])}</section>"
        for to, messages in threads.items()
    ]
    return f'<div class="threads">{"".join(cards)}</div>'


def _message(message: Message, now: float) -> str:
    step = message.at(now)
    kind = _kind(step.code)
    failure = f"실패 {step.code} · {MEANINGS[step.code]}"
    state = {"delivered": "수신 완료", "pending": "전송 중"}.get(kind, failure)
    subject, image = message.body.get("subject"), message.body.get("imageId")
    parts = [f'<img src="/_simulator/files/{escape(image)}" alt="">' if image and step.type == "MMS" else ""]
    parts.append(f"<strong>{escape(subject)}</strong>" if subject and step.type != "ATA" else "")
    parts.append(escape(message.shown_text(step)))
    fallback = '<span class="badge fallback">대체발송</span>' if step.replacement else ""
    seen = "" if kind == "delivered" else " undelivered"
    when = datetime.fromtimestamp(message.sent, KST)
    channel = escape(CHANNELS.get(step.type, step.type))
    return (
        f'<article class="message"><div class="meta">'
        f'<span class="badge {escape(step.type)}">{channel}</span>{fallback}'
        f'<span class="from">{escape(_number(message.sender))}</span>'
        f'<time datetime="{when.isoformat()}">{when:%m.%d %H:%M:%S}</time>'
        f'<span class="state {kind}">{escape(state)}</span></div>'
        f'<div class="bubble{seen}">{"".join(parts)}</div></article>'
    )


def _kind(code: str) -> str:
    if code in (ACCEPTED, AT_CARRIER):
        return "pending"
    return "delivered" if code == DELIVERED else "failed"


def _number(number: str) -> str:
    """02-1234-5678, 010-1234-5678, 1588-1234."""
    area = 2 if number.startswith("02") else 3
    head, rest = (number[:area], number[area:]) if number.startswith("0") else ("", number)
    return "-".join(part for part in (head, rest[:-4], rest[-4:]) if part)
