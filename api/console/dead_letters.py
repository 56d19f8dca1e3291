"""Dead letters: what lies there, why, and back with it. For operators."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Form, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from api.auth import audit
from api.console.pages import Operator, ServerAway, large_page, signed_in
from api.routing import first
from api.services import Services, UseServices
from clients.queues import DeadLetter, Queue
from clients.settings import Settings

router = APIRouter(route_class=first(signed_in))
LOOK_AT = 100  # letters of a queue


@lru_cache(maxsize=1)
def queues(settings: Settings) -> dict[str, Queue]:
    return {name: Queue(settings, queue) for name, queue in settings.queue_names().items()}


class Discarding(StrEnum):
    """Why a letter is thrown away: of words of ours, because people's own may speak of people."""

    DUPLICATE = "duplicate"
    MISTAKEN = "mistaken"
    OUTDATED = "outdated"
    TRIAL = "trial"


@dataclass(frozen=True)
class About:
    """A dead letter and what of its body may be shown: no person's data. Of a body that lay in
    the object store and cannot be had, nothing."""

    letter: DeadLetter
    size: int | None
    tenant: str | None
    what: str | None


@router.get("/letters")
async def letters(
    request: Request,
    services: UseServices,
    _staff: Operator,
    moved: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
    since: Annotated[int, Query(ge=0, lt=2**35)] = 0,
    discarded: Annotated[int | None, Query(ge=0, le=1)] = None,
) -> Response:
    """`moved` were sent back `since` then; of those that came again the page says so."""
    try:
        opened = await asyncio.to_thread(queues, services.settings)
        found = await asyncio.gather(
            *(asyncio.to_thread(queue.dead_letters, LOOK_AT) for queue in opened.values())
        )
    except (BotoCoreError, ClientError):
        raise ServerAway("queues") from None
    by_queue = await asyncio.to_thread(about_all, dict(zip(opened, found, strict=True)))
    return await large_page(
        request,
        "dead_letters.html",
        by_queue=by_queue,
        moved=moved,
        came_again=sum(
            bool(each.letter.back_at and each.letter.back_at.timestamp() >= since)
            for some in by_queue.values()
            for each in some
        ),
        discarded=discarded,
        limit=LOOK_AT,
    )


@router.post("/letters")
async def redrive(
    services: UseServices,
    _staff: Operator,
    queue: Annotated[str, Form()],
    letter: Annotated[str, Form()] = "",
) -> Response:
    """One letter, or all of a queue."""
    begin = int(time.time())
    try:
        opened = await _queue(services, queue)
        moved = await asyncio.to_thread(opened.redrive, [letter] if letter else None)
    except (BotoCoreError, ClientError):
        raise ServerAway("queues") from None
    return RedirectResponse(f"/console/letters?moved={moved}&since={begin}", 303)


@router.post("/letters/discard")
async def discard(
    request: Request,
    services: UseServices,
    _staff: Operator,
    queue: Annotated[str, Form()],
    letter: Annotated[str, Form(min_length=1)],
    reason: Annotated[Discarding, Form()],
) -> Response:
    """A letter goes for ever, with its body. The audit has which and why."""
    audit.about(request, queue=queue, letter=letter, reason=reason)
    try:
        opened = await _queue(services, queue)
        gone = await asyncio.to_thread(opened.sift_dead, lambda each: each.dead_id == letter, erase=True)
    except (BotoCoreError, ClientError):
        raise ServerAway("queues") from None
    return RedirectResponse(f"/console/letters?discarded={gone}", 303)


async def _queue(services: Services, name: str) -> Queue:
    """HTTPException 404 for one that is not ours."""
    opened = await asyncio.to_thread(queues, services.settings)
    if name not in opened:
        raise HTTPException(404)
    return opened[name]


def about_all(letters: Mapping[str, Sequence[DeadLetter]]) -> dict[str, list[About]]:
    """Hundreds of bodies that others wrote."""
    return {name: [about(each) for each in some] for name, some in letters.items()}


def about(letter: DeadLetter) -> About:
    try:
        body = None if letter.body_is_gone else json.loads(letter.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        body = {}
    tenant = body.get("tenant_id")
    video = body.get("video_id")
    what = (
        body.get("job_type") or body.get("action") or (f"video {video}" if isinstance(video, int) else None)
    )
    return About(
        letter,
        None if letter.body_is_gone else len(letter.body.encode(errors="surrogatepass")),
        str(tenant)[:20] if isinstance(tenant, int | str) and str(tenant).isdecimal() else None,
        what[:40] if isinstance(what, str) else None,
    )
