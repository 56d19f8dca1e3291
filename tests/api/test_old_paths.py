"""Old paths that make jobs: status, JSON and slashes. Those that read are in `integration/test_api.py`."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Caller
from tests.lab import CLIP, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def made(academy: Caller, path: str, body: dict[str, Any], job_type: str) -> str:
    """The job that a POST makes, and makes once; waits for no worker and is left cancelled."""
    key = str(uuid4())
    first, second = await academy.post(path, body, key=key), await academy.post(path, body, key=key)
    assert first == second == {"job_id": first["job_id"], "status": "PENDING"}
    job_id = first["job_id"]
    old = await academy.get(f"/jobs/{job_id}/")
    assert set(old) == {"job_id", "job_type", "status", "result", "error_message", "progress"}
    assert (old["job_id"], old["job_type"]) == (job_id, job_type)
    await academy.post(f"/jobs/{job_id}/cancel")
    return str(job_id)


async def test_an_ai_job(academy: Caller) -> None:
    body = {"job_type": "ocr", "payload": {"file_key": f"tenants/{academy.tenant}/a.pdf"}}
    job_id = await made(academy, "/ai/jobs/", body | {"source_domain": "exams", "source_id": 12}, "ocr")
    assert (await academy.ended(job_id))["status"] == "CANCELLED"
    foreign = {"job_type": "ocr", "payload": {"file_key": "tenants/1/a.pdf"}}
    assert await academy.refused("POST", "/ai/jobs/", 422, foreign) == "foreign_key_prefix"
    unknown = {"job_type": "magic", "payload": {}}
    assert await academy.refused("POST", "/ai/jobs/", 422, unknown) == "unknown_job_type"


async def test_a_roster(academy: Caller) -> None:
    payload = {"file_key": f"tenants/{academy.tenant}/roster.xlsx", "initial_password": "made-up-3"}
    job_id = await made(academy, "/excel/jobs/", payload, "excel_parsing")
    await academy.ended(job_id)
    assert await academy.refused("POST", f"/jobs/{job_id}/retry", 409) == "payload_gone"
    assert await academy.refused("POST", "/excel/jobs/", 422, {"initial_password": "x"}) == "invalid_field"


async def test_one_message(academy: Caller) -> None:
    body = {"to": "010-9555-1234", "text": "내일은 휴원입니다.", "message_mode": "sms"}
    await made(academy, "/messaging/send/", body, "messaging.send")
    (*_, job) = await academy.lab.jobs(academy.tenant)
    assert (job.tenant_id, job.source) == (academy.tenant, "api")
    answer = await academy.ask("POST", "/messaging/send/", {"to": "010-9555-1234"})
    assert answer.status_code == 422 and "9555" not in answer.text


async def test_the_tenant_of_a_body_does_not_count(academy: Caller, stranger: Caller) -> None:
    before = len(await academy.lab.jobs(stranger.tenant))
    body = {"to": "01095551235", "text": "x"}
    body |= dict.fromkeys(("tenant_id", "source_tenant_id"), stranger.tenant)
    job_id = (await academy.post("/messaging/send/", body))["job_id"]
    roster = {"file_key": f"tenants/{academy.tenant}/r.xlsx", "initial_password": "x"}
    taken = await academy.post("/excel/jobs/", roster | {"tenant_id": stranger.tenant})
    for each in (job_id, taken["job_id"]):
        assert (await academy.get(f"/jobs/{each}"))["job_id"] == each
        await academy.post(f"/jobs/{each}/cancel")
    assert len(await academy.lab.jobs(stranger.tenant)) == before


async def test_delete_over_the_uniform_api(academy: Caller) -> None:
    video, key = fresh_id(), academy.lab.producer.upload(academy.tenant, CLIP)
    payload = {"video_id": video, "file_key": key}
    encode = (await academy.post("/jobs", {"job_type": "video.encode", "payload": payload}))["job_id"]
    await academy.ended(encode)
    delete = {"job_type": "video.delete", "payload": {"video_id": video}}
    job_id = (await academy.post("/jobs", delete))["job_id"]
    assert (await academy.ended(job_id))["status"] == "DONE"
    assert not academy.lab.keys(f"tenants/{academy.tenant}/video/hls/{video}/")
    assert await academy.refused("POST", "/jobs", 404, delete) == "not_found"
