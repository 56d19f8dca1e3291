"""A request that another job answers: it is remembered which, and only where that job does what was asked."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, update

from clients.database import jobs
from clients.database.models import Job
from contracts.jobs import JobRequest
from contracts.queues import parse
from devstack.app import App
from devstack.producer import encode_body
from tests.integration.test_database import DONE, FAILED, accept, finish, job_request
from tests.integration.test_encode import encoding_began
from tests.lab import Lab, eventually, fresh_id

SUBJECT = "video.encode:1:x"


@pytest.fixture(autouse=True)
async def nothing_stays_open(lab: Lab) -> AsyncIterator[None]:
    """The reconciler of other tests would start what is open, and cannot open what we "sealed"."""
    yield
    async with lab.engine.begin() as connection:
        ours = update(Job).where(Job.sealed_payload == b"sealed", Job.finished_at.is_(None))
        await connection.execute(ours.values(finished_at=func.now(), state="DONE"))


def attempt(tenant: int, number: int, job: str, video: int = 1, **more: Any) -> JobRequest:
    body = encode_body(tenant, video, f"tenants/{tenant}/video/raw/a.mp4", job_id=job, attempt=number)
    return parse("video", json.dumps(body | more), "")


async def test_a_joined_request_is_remembered(lab: Lab) -> None:
    tenant = fresh_id()
    first, second = (job_request(tenant, key=key, subject=SUBJECT) for key in "ab")
    (new,) = await accept(lab, first)
    (joined,) = await accept(lab, second)
    assert (joined.status, joined.job_id) == ("JOINED", new.job_id)
    await finish(lab, new, DONE)
    (again,) = await accept(lab, second)
    assert (again.status, again.job_id, len(await lab.jobs(tenant))) == ("FINAL", new.job_id, 1)
    async with lab.engine.connect() as connection:
        found = await jobs.find(connection, tenant, str(second.job_id))
        stranger = await jobs.find(connection, fresh_id(), str(second.job_id))
    assert found and (found.id, found.state, stranger) == (new.job_id, "DONE", None)
    (other,) = await accept(lab, job_request(tenant, key="b", subject=SUBJECT, file_key="other.mp4"))
    assert other.status == "MISMATCH"


async def test_ten_copies_of_ten_who_joined_come_while_the_job_ends(lab: Lab) -> None:
    tenant = fresh_id()
    requests = [job_request(tenant, key=str(n), subject=SUBJECT) for n in range(10)]
    (new,) = await accept(lab, requests[0])
    for each in requests[1:]:
        await accept(lab, each)
    await asyncio.gather(finish(lab, new, DONE), *(accept(lab, each) for each in requests * 2))
    assert [job.id for job in await lab.jobs(tenant)] == [new.job_id]


async def test_who_asks_for_something_else_does_not_join(lab: Lab) -> None:
    tenant = fresh_id()
    subject = "video.delete:1"
    requests = [
        job_request(tenant, key=key, subject=subject, file_key=file)
        for key, file in (("a", "1.mp4"), ("b", "2.mp4"), ("c", "2.mp4"), ("d", ""))
    ]
    answers = [each for (each,) in [await accept(lab, request) for request in requests]]
    assert [each.status for each in answers] == ["NEW", "NEW", "JOINED", "NEW"]
    assert answers[2].job_id == answers[1].job_id
    copies = [each for (each,) in [await accept(lab, request) for request in requests]]
    assert [each.status for each in copies] == ["OPEN", "OPEN", "JOINED", "OPEN"]
    assert [each.job_id for each in copies] == [each.job_id for each in answers]


@pytest.mark.parametrize("end", [DONE, FAILED], ids=["done", "failed"])
async def test_an_attempt_that_comes_after_a_later_one(lab: Lab, end: Any) -> None:
    tenant, job = fresh_id(), str(uuid4())
    (second,) = await accept(lab, attempt(tenant, 2, job))
    assert [each.status for each in await accept(lab, attempt(tenant, 1, job))] == ["JOINED"]
    await finish(lab, second, end)
    late = [attempt(tenant, number, job) for number in (1, 0)]
    answers = await accept(lab, *late, *late)
    assert Counter((each.status, each.job_id) for each in answers) == {("FINAL", second.job_id): 4}
    (third,) = await accept(lab, attempt(tenant, 3, job))
    (other,) = await accept(lab, attempt(tenant, 1, str(uuid4()), video=2))
    assert (third.status, other.status) == ("NEW", "NEW")


async def test_a_late_attempt_of_one_that_joined(lab: Lab) -> None:
    tenant, job = fresh_id(), str(uuid4())
    (running,) = await accept(lab, attempt(tenant, 1, str(uuid4())))
    (joined,) = await accept(lab, attempt(tenant, 10, job))
    await finish(lab, running, DONE)
    (late,) = await accept(lab, attempt(tenant, 9, job))
    assert (joined.status, late.status, late.job_id) == ("JOINED", "FINAL", running.job_id)


async def test_joined_and_late_messages_through_the_queue(app: App, lab: Lab, small_lecture: Path) -> None:
    tenant, video = fresh_id(), fresh_id()
    first, second = str(uuid4()), str(uuid4())
    body = lab.send_encode(tenant, video, small_lecture, job_id=first, attempt=2)
    await encoding_began(lab, tenant, video)
    lab.send("video", body | {"job_id": second})
    await lab.drained("video")
    (job,) = await lab.ended(tenant)
    for late in (body | {"job_id": second}, body | {"attempt": 1}, body):
        lab.send("video", late)
    await lab.drained("video")
    assert [each.id for each in await lab.jobs(tenant)] == [job.id]
    headers = {"Authorization": f"Bearer {await lab.service_key(tenant)}"}
    async with httpx.AsyncClient(base_url=app.api_url, headers=headers, trust_env=False) as http:
        for name in (first, second):
            shown = (await http.get(f"/api/v1/jobs/{name}")).raise_for_status().json()
            assert (shown["status"], shown["workflow_id"]) == ("DONE", job.workflow_id)


async def test_a_second_deletion_of_another_file_is_done(app: App, lab: Lab) -> None:
    tenant, video = fresh_id(), fresh_id()
    keys = [lab.producer.upload(tenant, Path(__file__)) for _ in range(2)]
    named = {"action": "delete_r2", "tenant_id": tenant, "video_id": video}
    named["hls_prefix"] = f"tenants/{tenant}/video/hls/{video}/"
    for second, key in enumerate(keys):
        lab.send("video", named | {"file_key": key, "created_at": f"2026-11-28T00:00:0{second}Z"})
    await lab.ended(tenant, 2)

    async def gone() -> bool:
        return not any(lab.keys(key) for key in keys)

    await eventually(gone)
