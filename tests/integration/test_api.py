"""The HTTP API as existing clients call it, on the real app."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from clients.database import videos
from contracts.errors import REASONS
from devstack.app import App
from devstack.stack import Stack
from tests.lab import PATIENCE, Lab, eventually, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_PROGRESS = {
    "step": None,
    "percent": None,
    "remaining_seconds": None,
    "step_index": None,
    "step_total": None,
    "step_name": None,
    "step_name_display": None,
    "step_percent": None,
}
NO_ENCODING = {
    "encoding_progress": None,
    "encoding_remaining_seconds": None,
    "encoding_step_index": None,
    "encoding_step_total": None,
    "encoding_step_name": None,
    "encoding_step_percent": None,
}


@dataclass(frozen=True)
class Academy:
    """A tenant with a playable video and one that failed."""

    lab: Lab
    http: httpx.AsyncClient
    tenant: int
    key: str
    ready: int
    broken: int
    ready_job: Any
    broken_job: Any

    async def ask(self, method: str, path: str, key: str | None = None, **headers: str) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {key or self.key}"}
        return await self.http.request(method, path, headers=bearer | headers)

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def academy(app: App, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Academy]:
    lab = await Lab.open(stack)
    tenant, ready, broken = fresh_id(), fresh_id(), fresh_id()
    text = tmp_path_factory.mktemp("api") / "lecture.mp4"
    text.write_text("no video\n")
    lab.send_encode(tenant, ready)
    lab.send_encode(tenant, broken, text)
    jobs = {job.subject.split(":")[1]: job for job in await lab.ended(tenant, 2)}
    async with httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http:
        yield Academy(
            lab=lab,
            http=http,
            tenant=tenant,
            key=await lab.service_key(tenant),
            ready=ready,
            broken=broken,
            ready_job=jobs[str(ready)],
            broken_job=jobs[str(broken)],
        )
    await lab.close()


async def test_what_is_not_there_is_a_404(academy: Academy) -> None:
    gone = fresh_id()
    async with academy.lab.engine.begin() as connection:
        await videos.mark_deleted(connection, academy.tenant, gone)
    for video in (gone, fresh_id(), 2**62, 2**70, -1, "x"):
        assert (await academy.ask("GET", f"/api/v1/media/videos/{video}/progress/")).status_code == 404
        assert (await academy.ask("POST", f"/api/v1/media/videos/{video}/retry/")).status_code == 404
    for job in (uuid4(), "x", "x" * 5000, "%00"):
        assert (await academy.ask("GET", f"/api/v1/jobs/{job}/")).status_code == 404, job
        for kind in ("students", "enrollments"):
            path = f"/api/v1/{kind}/excel_job_status/{job}/"
            assert (await academy.ask("GET", path)).status_code == 404, path
    assert (await academy.get(f"/api/v1/jobs/{uuid4()}/progress/"))["status"] == "UNKNOWN"


async def test_a_video_that_is_ready(academy: Academy) -> None:
    assert await academy.get(f"/api/v1/media/videos/{academy.ready}/progress/") == NO_ENCODING | {
        "id": academy.ready,
        "status": "READY",
        "encoding_progress": 100,
        "hls_path": f"tenants/{academy.tenant}/video/hls/{academy.ready}/master.m3u8",
        "duration": pytest.approx(5.3, abs=0.1),
    }


async def test_a_video_that_failed(academy: Academy) -> None:
    assert await academy.get(f"/api/v1/media/videos/{academy.broken}/progress/") == NO_ENCODING | {
        "id": academy.broken,
        "status": "FAILED",
        "error_reason": REASONS["NOT_A_VIDEO"].ko,
    }


async def test_jobs_that_ended(academy: Academy) -> None:
    done, failed = academy.ready_job, academy.broken_job
    assert await academy.get(f"/api/v1/jobs/{done.external_id}/") == {
        "job_id": done.external_id,
        "job_type": "video.encode",
        "status": "DONE",
        "result": done.result,
        "error_message": None,
        "progress": None,
    }
    assert await academy.get(f"/api/v1/jobs/{failed.external_id}/") == {
        "job_id": failed.external_id,
        "job_type": "video.encode",
        "status": "REJECTED_BAD_INPUT",
        "result": {},
        "error_message": REASONS["NOT_A_VIDEO"].ko,
        "progress": None,
    }
    for job in (done, failed):
        whole = await academy.get(f"/api/v1/jobs/{job.external_id}/")
        assert await academy.get(f"/api/v1/jobs/{job.external_id}/progress/") == whole
        excel = await academy.ask("GET", f"/api/v1/students/excel_job_status/{job.external_id}/")
        assert excel.status_code == 404, "it is no roster"
        assert await academy.get(f"/api/v1/core/job_progress/{job.external_id}/") == NO_PROGRESS


async def test_retry_publishes_again_and_once(academy: Academy) -> None:
    path, key = f"/api/v1/media/videos/{academy.ready}/retry/", str(uuid4())
    before = await academy.lab.video(academy.tenant, academy.ready)
    twice = [academy.ask("POST", path, **{"Idempotency-Key": key}) for _ in range(2)]
    answers = await asyncio.gather(*twice)
    job_id = answers[0].json()["job_id"]
    accepted = {"id": academy.ready, "job_id": job_id, "status": "accepted"}
    assert [(each.status_code, each.json()) for each in answers] == [(202, accepted)] * 2

    async def shown() -> Any:
        return (await academy.get(f"/api/v1/jobs/{job_id}/"))["progress"]

    assert (await eventually(shown, every=0.05)).keys() == NO_PROGRESS.keys()

    async def during() -> bool:
        found = await academy.get(f"/api/v1/media/videos/{academy.ready}/progress/")
        return (found["status"], found["encoding_step_total"]) == ("READY", 3)

    # What viewers have stays READY meanwhile, beside the progress of what comes.
    assert await eventually(during, every=0.05)
    *_, job = await academy.lab.ended(academy.tenant, 3)
    assert (str(job.id), job.state, job.source) == (job_id, "DONE", "api")
    after = await academy.lab.video(academy.tenant, academy.ready)
    assert (after.published_job, before.published_job) == (job.id, academy.ready_job.id)
    late = await academy.ask("POST", path, **{"Idempotency-Key": key})
    assert (late.status_code, late.json()) == (202, accepted)
    assert len(await academy.lab.jobs(academy.tenant)) == 3
    assert late.headers["Idempotency-Replayed"] == "true"
    # The same key for another request is a mistake of the caller.
    other = await academy.ask("POST", path + "?x=1", **{"Idempotency-Key": key})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_health(academy: Academy) -> None:
    assert (await academy.http.get("/healthz")).json() == {"status": "ok"}
    ready = await academy.http.get("/readyz")
    told = ready.json()
    assert (ready.status_code, told["status"], told["missing"], told["degraded"]) == (200, "ok", [], [])
