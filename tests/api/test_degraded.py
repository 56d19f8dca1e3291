"""Servers that the API needs are away: what it still does, and what it says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.service import RPCError, RPCStatusCode

from clients.vault import Vault
from contracts.progress import ai_progress
from devstack.app import App
from devstack.ports import LOOPBACK
from devstack.processes import Process
from devstack.stack import Stack
from intake.reconcile import Reconciler
from intake.submit import Submitter
from tests.api.conftest import Caller, caller
from tests.api.test_jobs import ocr
from tests.lab import CLIP, PATIENCE, Lab, eventually, fresh_id, unused_port

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = "1"  # a port at which nobody answers
BURST = 60


@asynccontextmanager
async def api(stack: Stack, name: str, **env: str) -> AsyncIterator[tuple[str, Process]]:
    """Another process of the API on the shared stack, with some of its servers out of reach."""
    port = unused_port()
    argv = ("-m", "uvicorn", "api.app:served", "--host", LOOPBACK, "--port", str(port))
    process = stack.python(name, *argv, **env)
    url = f"http://{LOOPBACK}:{port}"
    process.start()
    try:
        await asyncio.to_thread(
            process.wait_ready, lambda: httpx.get(f"{url}/healthz").raise_for_status(), (httpx.HTTPError,)
        )
        yield url, process
    finally:
        await asyncio.to_thread(process.stop, 10)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lame(app: App, stack: Stack) -> AsyncIterator[Caller]:
    """Calls an API that reaches neither Temporal nor Redis, and that is strict about how often."""
    away = {"TEMPORAL_ADDRESS": f"{LOOPBACK}:{NOBODY}", "REDIS_PORT": NOBODY}
    lab = await Lab.open(stack)
    async with (
        api(stack, "api-lame", API_REQUESTS_PER_SECOND="2", API_BURST=str(BURST), **away) as (url, _),
        httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http,
    ):
        yield await caller(lab, http)
    await lab.close()


async def test_a_crash_between_accept_and_start_is_healed(lame: Caller, tmp_path: Path) -> None:
    """Temporal does not answer when the job is to be started. It is accepted all the same, says so, and the
    reconciler starts it."""
    video, key = fresh_id(), lame.lab.producer.upload(lame.tenant, CLIP)
    wanted = {"job_type": "video.encode", "payload": {"video_id": video, "file_key": key}}
    taken = await lame.post("/jobs", wanted, key="healed")
    assert taken["status"] == "PENDING"
    shown = await lame.get(f"/jobs/{taken['job_id']}")
    assert (shown["status"], shown["progress"], shown["source"]) == ("PENDING", None, "database")
    assert (await lame.post("/jobs", wanted, key="healed"))["job_id"] == taken["job_id"]
    vault = Vault(lame.lab.settings.payload_keys.get_secret_value())
    submitter = Submitter(lame.lab.engine, lame.lab.temporal, vault)
    reconciler = Reconciler(lame.lab.engine, lame.lab.temporal, submitter, lame.lab.endings())

    async def started() -> bool:
        await reconciler.run_once(timedelta(0))  # what a worker does every minute
        return (await lame.lab.only_job(lame.tenant)).started_at is not None

    await eventually(started)
    (job,) = await lame.lab.ended(lame.tenant)
    assert (str(job.id), job.state) == (taken["job_id"], "DONE")


async def test_no_answer_says_started_of_what_is_not(lame: Caller) -> None:
    """Whatever path a job comes by: 202 is accepted, and all that shows the job says that it waits."""
    file, phone = f"tenants/{lame.tenant}/a.xlsx", {"id": "1", "to": "01095551234"}
    asked: dict[str, Any] = {
        "/jobs": ocr(lame.tenant),
        "/ai/jobs/": {"job_type": "ocr", "payload": {"file_key": file}},
        "/excel/jobs/": {"file_key": file, "initial_password": "made-up-3"},
        "/messaging/send/": {"to": "01095551234", "text": "x", "message_mode": "sms"},
        "/messages/": {"draft": {"text": "x"}, "recipients": [phone]},
    }
    for path, body in asked.items():
        taken = await lame.post(path, body)
        assert taken["status"] == ("accepted" if path == "/messages/" else "PENDING"), path
        shown = await lame.get(f"/jobs/{taken['job_id']}")
        assert (shown["status"], shown["started_at"], shown["progress"]) == ("PENDING", None, None), path
        assert (await lame.get(f"/jobs/{taken['job_id']}/"))["status"] == "PENDING", path
        with pytest.raises(RPCError) as none:
            await lame.lab.temporal.get_workflow_handle(shown["workflow_id"]).describe()
        assert none.value.status == RPCStatusCode.NOT_FOUND, "there is really no workflow"


async def test_what_is_missing_is_named(lame: Caller) -> None:
    ready = await lame.http.get("/readyz")
    told = {"status": "missing", "missing": ["temporal"], "degraded": ["redis"]}
    assert (ready.status_code, ready.json()) == (503, told)
    assert (await lame.http.get("/healthz")).status_code == 200


async def test_a_cancel_that_cannot_be_asked_for_says_so(lame: Caller) -> None:
    job_id = (await lame.post("/jobs", ocr(lame.tenant)))["job_id"]
    assert await lame.refused("POST", f"/jobs/{job_id}/cancel", 503) == "unavailable"


async def test_without_redis_the_workflow_is_asked(app: App, stack: Stack) -> None:
    lab = await Lab.open(stack)
    async with (
        api(stack, "api-dim", REDIS_PORT=NOBODY) as (url, _),
        httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http,
    ):
        dim = await caller(lab, http)
        job_id = (await dim.post("/jobs", ocr(dim.tenant)))["job_id"]

        async def asked() -> bool:
            shown = await dim.get(f"/jobs/{job_id}")
            return shown["source"] == "workflow" and shown["progress"] == ai_progress("plan", 0).model_dump()

        assert await eventually(asked)
        page = await dim.get("/jobs")
        assert (page["items"][0]["progress"], page["source"]) == (None, "database")
        told = (await http.get("/readyz")).json()
        assert (told["status"], told["missing"], told["degraded"]) == ("ok", [], ["redis"])
        await dim.post(f"/jobs/{job_id}/cancel")
        await dim.ended(job_id)
    await lab.close()


async def test_open_streams_do_not_hold_up_a_stop(app: App, stack: Stack) -> None:
    lab = await Lab.open(stack)
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        who = await caller(lab, http)
        async with api(stack, "api-stopping") as (url, process):
            headers = {"Authorization": f"Bearer {who.key}"}
            wanted = ocr(who.tenant)
            answer = await http.post(f"{url}/api/v1/jobs", json=wanted, headers=headers)
            events = f"{url}/api/v1/jobs/{answer.json()['job_id']}/events"
            async with http.stream("GET", events, headers=headers) as stream:
                lines = stream.aiter_lines()
                assert await anext(lines) == "event: state"
                process.ask_to_stop()
                with suppress(httpx.RemoteProtocolError):  # cut: the client comes again, to another process
                    async for line in lines:
                        assert not line.startswith(": ping"), "it was cut before anything else was to be said"
                assert await asyncio.to_thread(process.wait, PATIENCE) is not None
        (job,) = await lab.jobs(who.tenant)
        await lab.temporal.get_workflow_handle(job.workflow_id).cancel()
        await lab.ended(who.tenant)
    await lab.close()


async def test_a_key_over_its_rate_gets_429(lame: Caller) -> None:
    other = await caller(lame.lab, lame.http)

    async def limited() -> list[httpx.Response]:
        answers = await asyncio.gather(*(other.ask("GET", "/jobs/none") for _ in range(BURST + 20)))
        return [answer for answer in answers if answer.status_code == 429]

    (first, *_) = await eventually(limited)
    assert first.json()["code"] == "too_many_requests" and int(first.headers["retry-after"]) >= 1
    third = await caller(lame.lab, lame.http)
    assert (await third.ask("GET", "/jobs/none")).status_code == 404, "others are not limited by it"
