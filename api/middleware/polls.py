"""Progress polls, before anything else looks at them: most of what is asked are polls, and most are alike.

A poll whose answer lies in Redis is answered here, in a few steps. Whatever else is asked, or is not right
with a poll, goes on to the routes, which answer the same polls and say what is wrong.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, HTTPException, Request
from starlette.types import Receive, Scope, Send

from api import metrics
from api.auth.callers import caller_of
from api.middleware.requests import request_id_of
from api.params import JOB_ID
from api.progress import video_progress
from api.services import get_services
from clients.progress import job_key, video_key
from contracts.jobs import FINAL_STATES
from contracts.rights import Right
from intake.errors import INFRASTRUCTURE_ERRORS

Answer = Callable[[Request, int, str], Awaitable[bytes | None]]
VIDEO_ID = r"[1-9]\d{0,17}"
JOB = "/api/v1/core/job_progress/{job_id}/"
VIDEO = "/api/v1/media/videos/{video_id}/progress/"


class Polls:
    """Around the application. Polls answered here are counted like the others, and not logged."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._answers = [
            (
                re.compile(template.format(job_id=f"({JOB_ID})", video_id=f"({VIDEO_ID})")),
                answer,
                metrics.REQUESTS.labels("GET", template, 200),
                metrics.SECONDS.labels("GET", template),
            )
            for template, answer in ((JOB, _job), (VIDEO, _video))
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            for pattern, answer, counted, timed in self._answers:
                if match := pattern.fullmatch(scope["path"]):
                    began = time.perf_counter()
                    scope["app"] = self._app
                    request = Request(scope)
                    body = await _of_caller(answer, request, match[1])
                    if body is None:
                        break
                    await _send(send, request, body)
                    counted.inc()
                    timed.observe(time.perf_counter() - began)
                    return
        await self._app(scope, receive, send)


async def _of_caller(answer: Answer, request: Request, name: str) -> bytes | None:
    try:
        caller = await caller_of(request)
        if caller.tenant_id is None or Right.LOOK not in caller.rights:
            return None
        return await answer(request, caller.tenant_id, name)
    except (HTTPException, *INFRASTRUCTURE_ERRORS):
        return None  # the routes meet it as well, and say it


async def _job(request: Request, tenant: int, name: str) -> bytes | None:
    services = get_services(request)
    job = await services.seen_jobs.get((tenant, name))
    if job is None or job.state in FINAL_STATES:
        return None
    shown = await services.board.read_text(job_key(tenant, job.id))
    return shown.encode() if shown else None


async def _video(request: Request, tenant: int, name: str) -> bytes | None:
    services = get_services(request)
    seen = await services.seen_videos.get((tenant, int(name)))
    if seen is None or seen[1] is None or seen[1].state in FINAL_STATES:
        return None
    shown = await services.board.read(video_key(tenant, int(name)))
    if shown is None:
        return None
    return json.dumps(video_progress(seen[0], shown), ensure_ascii=False, separators=(",", ":")).encode()


async def _send(send: Send, request: Request, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id_of(request).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
