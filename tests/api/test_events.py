"""Many watch a job: one of them looks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from sqlalchemy import event

import api.app
from clients import progress
from clients.progress import ProgressBoard
from contracts.progress import ai_progress
from devstack.app import App
from devstack.ports import LOOPBACK
from devstack.stack import Stack
from tests.api.conftest import Caller, caller
from tests.api.test_jobs import ocr
from tests.lab import PATIENCE, Lab, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
WATCHERS = 200


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(app: App, stack: Stack) -> AsyncIterator[Caller]:
    """A tenant that calls an API inside this process, whose database connections can be watched. The
    workers are those of `app`."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in stack.environment().items():
            patched.setenv(name, value)
        server = uvicorn.Server(uvicorn.Config(api.app.app, host=LOOPBACK, port=0, log_config=None))
        serving = asyncio.create_task(server.serve())

        async def started() -> bool:
            return server.started

        await eventually(started)
        port = server.servers[0].sockets[0].getsockname()[1]
        lab = await Lab.open(stack)
        # Given up before uvicorn gives them up.
        limits = httpx.Limits(max_connections=WATCHERS + 10, keepalive_expiry=1)
        url = f"http://{LOOPBACK}:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=limits) as http:
            yield await caller(lab, http)
        await lab.close()
        server.should_exit = True
        await serving


async def watch(who: Caller, job_id: str, seen: list[tuple[str, Any]], **headers: str) -> None:
    """Note every event until the stream ends."""
    bearer = {"Authorization": f"Bearer {who.key}"} | headers
    async with who.http.stream("GET", f"/api/v1/jobs/{job_id}/events", headers=bearer) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                seen.append((name, json.loads(value)))


@pytest.mark.slow
async def test_two_hundred_watch_and_postgres_does_not_notice(here: Caller) -> None:
    services = api.app.app.state.services
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    job_id = (await here.post("/jobs", ocr(here.tenant)))["job_id"]
    job = await here.lab.only_job(here.tenant)
    began = time.monotonic()
    event.listen(services.engine.sync_engine, "before_cursor_execute", note)
    seen: list[list[tuple[str, Any]]] = [[] for _ in range(WATCHERS)]
    watching = [asyncio.create_task(watch(here, job_id, events)) for events in seen]

    async def all_see(name: str, percent: int | None = None) -> None:
        async def look() -> bool:
            return all(
                any(kind == name and (percent is None or data["percent"] == percent) for kind, data in events)
                for events in seen
            )

        await eventually(look, f"all see {name} {percent}")

    await all_see("state")
    assert len(services.watches._open) == 1
    shown = progress.connect(here.lab.settings)
    board = ProgressBoard(shown)
    for done in (0.2, 0.7):
        percent = ai_progress("run", done).percent
        await board.show_job(here.tenant, job.id, ai_progress("run", done))
        await all_see("progress", percent)
    await shown.aclose()
    text = (await here.http.get("/metrics")).text
    assert f"api_watchers {float(WATCHERS)}" in text and "api_watched_jobs 1.0" in text
    await here.lab.temporal.get_workflow_handle(job.workflow_id).cancel()
    await asyncio.gather(*watching)
    event.remove(services.engine.sync_engine, "before_cursor_execute", note)
    seconds = time.monotonic() - began
    for events in seen:
        assert events[0][0] == "state" and events[-1][0] == "end"
        assert (events[-1][1]["status"], events[-1][1]["error_code"]) == ("CANCELLED", "CANCELLED")
    print(f"{len(statements)} statements for {WATCHERS} watchers in {seconds:.1f} s")
    # Credential and job once for each of the first seconds, and the end; they are few on a quiet machine.
    assert len(statements) <= 4 + 2 * max(18, seconds)
    assert services.watches._open == {}


async def test_a_stream_of_a_job_that_has_ended(here: Caller) -> None:
    await here.row("ended", error_code=None)
    seen: list[tuple[str, Any]] = []
    await watch(here, "ended", seen)
    assert [name for name, _ in seen] == ["state", "end"]
    again: list[tuple[str, Any]] = []
    await watch(here, "ended", again, **{"Last-Event-ID": "nonsense"})
    assert again == seen
    answer = await here.ask("GET", "/jobs/ended/events", Last_Event_ID="end")
    assert (answer.status_code, answer.content) == (204, b""), "a browser does not come again after this"


async def test_who_leaves_is_forgotten(here: Caller) -> None:
    services = api.app.app.state.services
    job_id = (await here.post("/jobs", ocr(here.tenant, note="another")))["job_id"]
    watching = asyncio.create_task(watch(here, job_id, []))

    async def watched() -> bool:
        return len(services.watches._open) == 1

    await eventually(watched)
    (poller,) = [each.poller for each in services.watches._open.values()]
    watching.cancel()

    async def forgotten() -> bool:
        return not services.watches._open and poller.done()

    await eventually(forgotten)
    await here.post(f"/jobs/{job_id}/cancel")
    await here.ended(job_id)


async def test_polls_do_not_touch_postgres_either(here: Caller) -> None:
    """Credential and job are looked up once in a while, however many ask."""
    services = api.app.app.state.services
    job_id = (await here.post("/jobs", ocr(here.tenant, note="polled")))["job_id"]
    job = (await here.lab.jobs(here.tenant))[-1]
    redis = progress.connect(here.lab.settings)
    await ProgressBoard(redis).show_job(here.tenant, job.id, ai_progress("run", 0.5))
    await redis.aclose()
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(services.engine.sync_engine, "before_cursor_execute", note)
    began = time.monotonic()
    for _ in range(5):
        polls = (here.get(f"/core/job_progress/{job_id}/") for _ in range(40))
        assert {each["percent"] for each in await asyncio.gather(*polls)} == {ai_progress("run", 0.5).percent}
    seconds = time.monotonic() - began
    event.remove(services.engine.sync_engine, "before_cursor_execute", note)
    print(f"{len(statements)} statements for 200 polls in {seconds:.1f} s")
    assert len(statements) <= 4 + 2 * seconds
    await here.post(f"/jobs/{job_id}/cancel")
    await here.ended(job_id)
