"""Polls that Redis answers, and polls that it does not."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, update

from clients.database.models import Job, Video
from clients.progress import ProgressBoard, connect
from contracts.jobs import JobState
from contracts.progress import Progress, ai_progress
from devstack.stack import Stack
from tests.api.conftest import Caller
from tests.lab import eventually, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOWN = ai_progress("run", 0.5)


async def running_job(academy: Caller) -> UUID:
    job = uuid4()
    await academy.row(str(job), JobState.RUNNING, id=job)
    return job


async def is_logged(academy: Caller, stack: Stack, path: str) -> bool:
    """Whether a request came as far as the log, which lies behind the polls. An answer may be here before
    its line is there: the next request's line is waited for."""
    log = stack.data_dir / "logs" / "api.log"
    name, following = f"poll-{uuid4().hex}", f"list-{uuid4().hex}"
    for asked, request_id in ((path, name), ("/jobs", following)):
        answer = await academy.ask("GET", asked, X_Request_Id=request_id)
        assert (answer.status_code, answer.headers["X-Request-Id"]) == (200, request_id)

    async def logged() -> bool:
        return following in log.read_text()

    await eventually(logged, "the next request's line")
    return name in log.read_text()


async def test_a_running_job(academy: Caller, stranger: Caller, stack: Stack) -> None:
    job = await running_job(academy)
    path = f"/core/job_progress/{job}/"
    assert await academy.get(path) == dict.fromkeys(Progress.model_fields)
    assert await is_logged(academy, stack, path), "Redis has nothing: a route answers"
    redis = connect(academy.lab.settings)
    await ProgressBoard(redis).show_job(academy.tenant, job, SHOWN)
    assert await academy.get(path) == SHOWN.model_dump()
    assert not await is_logged(academy, stack, path)
    assert (await academy.get(f"/jobs/{job}/"))["progress"] == SHOWN.model_dump()
    assert await stranger.refused("GET", path, 404) == "not_found"
    assert await academy.refused("GET", path, 401, Authorization="Bearer nobody.knows") == "not_authenticated"

    async with academy.lab.engine.begin() as connection:
        await connection.execute(update(Job).where(Job.id == job).values(state="DONE"))

    async def over() -> bool:
        return (await academy.get(path))["percent"] is None

    await eventually(over, "what has ended shows no progress")
    await redis.aclose()


async def test_a_lecture(academy: Caller, stranger: Caller, stack: Stack) -> None:
    job, video = await running_job(academy), fresh_id()
    row: dict[str, Any] = {"tenant_id": academy.tenant, "id": video, "file_key": "x", "current_job": job}
    async with academy.lab.engine.begin() as connection:
        await connection.execute(insert(Video).values(row | {"status": "PROCESSING"}))
    redis = connect(academy.lab.settings)
    await ProgressBoard(redis).show_video(academy.tenant, video, job, SHOWN)
    path = f"/media/videos/{video}/progress/"
    assert await academy.get(path) == {
        "id": video,
        "status": "PROCESSING",
        "encoding_progress": SHOWN.percent,
        "encoding_remaining_seconds": SHOWN.remaining_seconds,
        "encoding_step_index": SHOWN.step_index,
        "encoding_step_total": SHOWN.step_total,
        "encoding_step_name": SHOWN.step_name_display,
        "encoding_step_percent": SHOWN.step_percent,
    }
    assert not await is_logged(academy, stack, path)
    assert await stranger.refused("GET", path, 404) == "not_found"
    await redis.aclose()
