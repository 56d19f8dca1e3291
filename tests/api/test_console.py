"""Pages of the console when servers are away, and of what was read before every page had a picture."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import func, insert, select, update

import api.app
from api.console import (
    alimtalk,
    audit,
    classes,
    costs,
    dead_letters,
    fleet,
    home,
    jobs,
    lectures,
    login,
    messaging,
    ocr,
    omr,
    rosters,
    students,
    tenants,
    text_templates,
    watch,
)
from api.console.site import STATIC
from api.middleware import requests
from clients.database.models import Job, Video
from clients.queues import LARGEST, Queue, QueueMessage
from contracts.jobs import JobState
from contracts.rights import EVERYTHING, Right
from devstack.ports import LOOPBACK
from devstack.stack import Stack
from tests import signed_in
from tests.api.conftest import Caller
from tests.api.test_students import student
from tests.lab import Lab, eventually, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = f"{LOOPBACK}:1"  # where nobody answers
AWAY = {
    "redis": {"REDIS_PORT": "1"},
    "temporal": {"TEMPORAL_ADDRESS": NOBODY},
    "objects": {"R2_ENDPOINT_URL": f"http://{NOBODY}"},
    "queues": {"SQS_ENDPOINT_URL": f"http://{NOBODY}"},
    "postgres": {"DB_PORT": "1"},
}
NAMES = {"temporal": "Temporal", "objects": "(S3)", "queues": "(SQS)", "postgres": "(Postgres)"}
# What each page cannot be without; whatever else is away, it is shown.
NEEDS: dict[str, set[str]] = {
    "/": {"postgres"},
    "/home": {"postgres"},
    "/jobs/{job_id}": {"postgres"},
    "/jobs/{job_id}/files/{name}": {"postgres"},
    "/lectures": {"postgres"},
    "/lectures/{video_id}": {"postgres"},
    "/lectures/{video_id}/poster": {"postgres"},
    "/ocr": {"postgres"},
    "/ocr/{job_id}": {"postgres", "objects"},
    "/ocr/{job_id}/pages/{number}": {"postgres"},
    "/omr": {"postgres"},
    "/omr/{job_id}": {"postgres", "objects"},
    "/rosters": {"postgres"},
    "/rosters/{job_id}": {"postgres", "objects"},
    "/classes": {"postgres"},
    "/classes/{class_id}": {"postgres"},
    "/sessions/{session_id}": {"postgres"},
    "/students": {"postgres"},
    "/students/{student_id}": {"postgres"},
    "/messages": {"postgres"},
    "/messages/new": {"postgres"},
    "/messages/templates": {"postgres"},
    "/messages/costs": {"postgres"},
    "/messages/alimtalk": {"postgres"},
    "/messages/{job_id}": {"postgres"},
    "/letters": {"postgres", "queues"},
    "/fleet": {"postgres", "temporal", "queues"},
    "/tenants": {"postgres"},
    "/tenants/{tenant_id}": {"postgres"},
    "/audit": {"postgres"},
    "/watch": set(),
    "/login": set(),
}
STREAM = "/jobs/stream"  # never ends
PAGES = (jobs, lectures, messaging, text_templates, costs, alimtalk, ocr, omr, classes, students, rosters)
PARTS = (login, watch, home, dead_letters, fleet, tenants, audit, *PAGES)


@asynccontextmanager
async def console(
    lab: Lab, stack: Stack, tenant: int, rights: frozenset[Right] = EVERYTHING, **away: str
) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process, without some of its servers, and an operator of an academy."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (stack.environment() | away).items():
            patch.setenv(name, value)
        patch.setattr(requests, "configure_logging", lambda: None)  # ours is pytest's
        async with api.app.lifespan(api.app.app):
            cookies = await signed_in.cookie(lab, tenant, operator=True, rights=rights)
            transport = httpx.ASGITransport(api.app.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://console", cookies=cookies
            ) as http:
                yield http


async def job(academy: Caller, job_type: str, state: JobState = JobState.DONE, **result: object) -> UUID:
    name = str(uuid4())
    await academy.row(name, state, job_type=job_type, result=result or None)
    async with academy.lab.engine.connect() as connection:
        found: UUID = (await connection.execute(select(Job.id).where(Job.external_id == name))).scalar_one()
    return found


async def reading(academy: Caller, **result: object) -> UUID:
    """What OCR leaves of two pages, each with a word."""
    word = {"text": "가나다", "confidence": 96.0, "box": [10, 10, 90, 40]}
    lines = [{"box": word["box"], "confidence": 96.0, "own": False, "words": [word]}]
    sheet = {"width": 200, "height": 100, "text": "가나다", "lines": lines}
    key = f"tenants/{academy.tenant}/ai/results/{uuid4()}/result.json"
    document = {"pages": [sheet | {"page": 1}, sheet | {"page": 2}]}
    academy.lab.objects.put(key, json.dumps(document).encode(), "application/json")
    files = {"result.json": key, "overlay.png": key}
    return await job(academy, "ai.ocr", files=files, **result)


@pytest.mark.parametrize("away", AWAY)
async def test_every_page_is_there_or_says_what_is_missing(academy: Caller, stack: Stack, away: str) -> None:
    report = f"tenants/{academy.tenant}/ai/results/{uuid4()}/report.json"
    academy.lab.objects.put(report, b'{"problems": []}', "application/json")
    marks = f"tenants/{academy.tenant}/ai/results/{uuid4()}/answers.json"
    academy.lab.objects.put(marks, b'{"sheets": []}', "application/json")
    read = await reading(academy, units=f"tenants/{academy.tenant}/ai/work/x/ocr-4-y/units/")
    ids = {
        "/ocr": {"job_id": read, "number": 1},
        "/rosters": {"job_id": await job(academy, "ai.excel_parsing", files={"report.json": report})},
        "/omr": {"job_id": await job(academy, "ai.omr_grading", files={"answers.json": marks})},
        "/messages": {"job_id": await job(academy, "messages.send")},
        "/jobs": {"job_id": await job(academy, "video.encode", JobState.RUNNING)},
        "/lectures": {"video_id": (video := fresh_id())},
        "/students": {"student_id": await student(academy, "서보나")},
        "/tenants": {"tenant_id": academy.tenant},
        "/classes": {"class_id": 7},
        "/sessions": {"session_id": 8},
    }
    await academy.ask("PUT", "/classes/7", {"title": "고2 수학 A"})
    await academy.ask("PUT", "/sessions/8", {"class_id": 7, "day": "2026-05-04"})
    known = {"hls_prefix": "x/", "has_pictures": True, "status": "READY", "file_key": "x"}
    async with academy.lab.engine.begin() as connection:
        await connection.execute(insert(Video).values(id=video, tenant_id=academy.tenant, **known))
    async with console(academy.lab, stack, academy.tenant, **AWAY[away]) as http:

        async def look(template: str, needs: set[str]) -> None:
            names = ids.get("/" + template.split("/")[1], {})
            if template.endswith("/{name}"):
                names = {"job_id": read, "name": "result.json"}
            path = f"/console{template.format(**names)}"
            answer = await http.get(path, headers={"Accept-Language": "en"})
            if away in needs:
                assert answer.status_code == 503, (path, answer.status_code)
                assert f"{NAMES[away]}</strong> does not answer." in answer.text, path
            else:
                assert answer.status_code < 400, (path, answer.status_code)
            assert "Traceback" not in answer.text
            if template == "/jobs/{job_id}":
                assert ("work in hand cannot be shown" in answer.text) == (away == "temporal")

        await asyncio.gather(*(look(template, needs) for template, needs in NEEDS.items()))


async def test_a_reconciler_that_stands_still_shows_everywhere(academy: Caller, stack: Stack) -> None:
    lab = academy.lab
    schedule = lab.temporal.get_schedule_handle("reconcile")
    await schedule.pause()
    forgotten = await job(academy, "ai.ocr", JobState.RUNNING)
    async with lab.engine.begin() as connection:
        long_ago = func.now() - timedelta(hours=2)
        await connection.execute(update(Job).where(Job.id == forgotten).values(accepted_at=long_ago))
    async with console(academy.lab, stack, academy.tenant) as http:

        async def shown() -> tuple[dict[str, Any], dict[str, float], str]:
            english = {"Accept-Language": "en"}
            lines = (await http.get("/metrics")).text.splitlines()
            numbers = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
            ready = await http.get("/readyz")
            assert ready.status_code == 200, "jobs can be accepted and started all the same"
            page = (await http.get("/console/fleet", headers=english)).text
            return ready.json(), {name: float(number) for name, number in numbers.items()}, page

        told, numbers, page = await shown()
        assert told["degraded"] == ["reconciler"]
        assert told["oldest_open_job"]["seconds"] >= 7200 and told["oldest_open_job"]["job_type"] == "ai.ocr"
        assert numbers["jobs_unseen_seconds"] >= 7200
        assert numbers['jobs_oldest_open_age_seconds{job_type="ai.ocr"}'] >= 7200
        assert "late: look after the ops worker" in page
        await schedule.unpause()
        await schedule.trigger()

        async def looked_at() -> bool:
            told, numbers, page = await shown()
            assert told["oldest_open_job"]["seconds"] >= 7200, "it is as old as before"
            ran = numbers["reconciler_last_run_timestamp_seconds"]
            return "late:" not in page and not told["degraded"] and time.time() - ran < 100

        await eventually(looked_at, every=1)
    async with lab.engine.begin() as connection:
        ended = {"state": JobState.CANCELLED, "finished_at": func.now()}
        await connection.execute(update(Job).where(Job.id == forgotten).values(**ended))


async def test_a_letter_that_sqs_moved_is_told_from_poison(academy: Caller, stack: Stack) -> None:
    lab = academy.lab
    sqs = lab.producer._sqs
    queue = Queue(lab.settings, lab.settings.ai_sqs_queue_name_premium)
    body = json.dumps({"tenant_id": str(academy.tenant), "job_type": "ocr"})
    sqs.send_message(QueueUrl=queue._dlq_url, MessageBody=body)
    long = body + " " * (LARGEST - len(body))
    queue.dead_letter(QueueMessage(f"first-{academy.tenant}", "", long), "INVALID_FIELD", "-")
    async with console(academy.lab, stack, academy.tenant) as http:
        page = (await http.get("/console/letters", headers={"Accept-Language": "en"})).text
    moved, poison = (row for row in page.split("<tr>") if f">{academy.tenant}<" in row)
    if "INVALID_FIELD" in moved:
        moved, poison = poison, moved
    assert "which says nothing against it: send it back" in moved and "SQS, 1×" in moved
    assert "A field is missing or not valid." in poison  # and its academy, read in the stored body
    assert lab.dead_letters("ai-premium")


async def test_no_page_is_forgotten() -> None:
    routes = [each for part in PARTS for each in part.router.routes if isinstance(each, APIRoute)]
    assert {each.path for each in routes if "GET" in each.methods} == {*NEEDS, STREAM}


async def test_what_was_read_before_pages_had_pictures_still_opens(academy: Caller, stack: Stack) -> None:
    old = await reading(academy)
    async with console(academy.lab, stack, academy.tenant) as http:
        first, second = [(await http.get(f"/console/ocr/{old}?page={page}")).text for page in (1, 2)]
        assert f'<image href="/console/jobs/{old}/files/overlay.png"' in first and "word sure drawn" in first
        assert "<image" not in second and "word sure plain" in second
        assert (await http.get(f"/console/ocr/{old}/pages/2")).status_code == 404


async def test_a_picture_is_ones_own_academys(academy: Caller, stranger: Caller, stack: Stack) -> None:
    units = f"tenants/{academy.tenant}/ai/work/{uuid4()}/ocr-4-x/units/"
    academy.lab.objects.put(f"{units}page-0002/page.jpg", b"a picture", "image/jpeg")
    mine = await reading(academy, units=units)
    async with console(academy.lab, stack, stranger.tenant) as http:  # an operator of another one
        assert (await http.get(f"/console/ocr/{mine}/pages/2")).status_code == 404
    async with console(academy.lab, stack, academy.tenant) as http:
        shown = (await http.get(f"/console/ocr/{mine}?page=2")).text
        assert f'<image href="/console/ocr/{mine}/pages/2"' in shown and "word sure bare" in shown
        link = (await http.get(f"/console/ocr/{mine}/pages/2")).headers["location"]
    async with httpx.AsyncClient() as store:
        assert (await store.get(link)).content == b"a picture"


async def test_buttons_are_offered_where_they_can_work(
    academy: Caller, stranger: Caller, stack: Stack
) -> None:
    """Once each way in which a retry or a cancel could not be done."""

    async def failed(job_type: str = "ai.ocr", whose: Caller = academy, **values: Any) -> UUID:
        name = str(uuid4())
        await whose.row(name, JobState.FAILED, job_type=job_type, **values)
        async with academy.lab.engine.connect() as connection:
            found: UUID = (
                await connection.execute(select(Job.id).where(Job.external_id == name))
            ).scalar_one()
        return found

    gone = {"sealed_payload": None}
    good, text, theirs = await failed(), await failed("messages.send", **gone), await failed(whose=stranger)
    again = await failed()
    await academy.row(f"retry:{again}", JobState.DONE)
    old = await failed("video.encode", video_id=7)
    await academy.row(str(uuid4()), JobState.DONE, job_type="video.encode", video_id=7)
    running = await job(academy, "ai.ocr", JobState.RUNNING)
    retry, cancel = ">Retry<", ">Cancel<"
    english = {"Accept-Language": "en"}
    async with console(academy.lab, stack, academy.tenant) as http:

        async def shown(job_id: UUID) -> str:
            answer = await http.get(f"/console/jobs/{job_id}", headers=english)
            assert answer.status_code == 200
            return answer.text

        assert retry in await shown(good) and cancel in await shown(running)
        for each in (text, theirs, again, old):
            assert retry not in await shown(each), each
    async with console(academy.lab, stack, academy.tenant, rights=frozenset({Right.LOOK})) as http:
        assert retry not in await shown(good) and cancel not in await shown(running)
        for page in ("lectures", "ocr", "omr", "rosters"):
            assert "data-drop" not in (await http.get(f"/console/{page}")).text, page


async def test_a_text_of_several_notices_says_so(academy: Caller, stack: Stack) -> None:
    digest = await job(academy, "messages.digest", JobState.DONE)
    async with console(academy.lab, stack, academy.tenant) as http:
        assert "알림 묶음" in (await http.get("/console/messages")).text
        assert "여러 알림을 한 통으로" in (await http.get(f"/console/messages/{digest}")).text


async def test_static_files_are_compressed_and_pages_are_not(academy: Caller, stack: Stack) -> None:
    """A page's length must not tell what is on it."""
    name = "/console/static/console.css"
    plain = (STATIC / "console.css").read_bytes()
    async with console(academy.lab, stack, academy.tenant) as http:
        packed = await http.get(name, headers={"Accept-Encoding": "br, gzip;q=0.8"})
        assert packed.content == plain and packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(plain) / 2
        assert "accept-encoding" in packed.headers["vary"].lower()
        again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]}
        assert (await http.get(name, headers=again)).status_code == 304
        for other in ({"Accept-Encoding": "gzip;q=0"}, {"Accept-Encoding": "gzip", "Range": "bytes=0-9"}):
            assert "content-encoding" not in (await http.get(name, headers=other)).headers
        for page in ("/", "/messages", "/login"):
            answer = await http.get(f"/console{page}", headers={"Accept-Encoding": "gzip"})
            assert (answer.status_code, "content-encoding" in answer.headers) == (200, False), page


async def test_a_students_player_is_framed_by_whom_the_operators_name(academy: Caller, stack: Stack) -> None:
    """And no other page is, by anybody."""
    theirs = "https://academy.example"
    for frames, wanted in (("", "'none'"), (f"{theirs}, https://b.example", f"{theirs} https://b.example")):
        async with console(academy.lab, stack, academy.tenant, WATCH_FRAMES=frames) as http:
            watch, login = [await http.get(f"/console/{each}") for each in ("watch", "login")]
        assert f"frame-ancestors {wanted};" in f"{watch.headers['content-security-policy']};"
        assert ("x-frame-options" in watch.headers) == (not frames)
        assert "frame-ancestors 'none';" in f"{login.headers['content-security-policy']};"
        assert login.headers["x-frame-options"] == "DENY"
        assert watch.headers["referrer-policy"] == "no-referrer"
