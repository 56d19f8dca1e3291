"""Jobs of any type over the uniform API."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

import api.app
from clients.database.idempotency import IdempotencyKey
from clients.database.models import Job, Video
from contracts.catalog import CATALOG
from contracts.jobs import JobState
from contracts.video import hls_root
from devstack.app import App
from tests.api.conftest import Caller
from tests.lab import CLIP, eventually, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


def ocr(tenant: int, **more: Any) -> dict[str, Any]:
    """A job that waits: no AI worker runs beside these tests."""
    return {"job_type": "ai.ocr", "payload": {"file_key": f"tenants/{tenant}/ai/page.pdf"} | more}


async def test_every_type_of_the_catalog_can_be_asked_for() -> None:
    body = api.app.app.openapi()["paths"]["/api/v1/jobs"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert set(schema["discriminator"]["mapping"]) == {name for name, row in CATALOG.items() if not row.ours}


async def test_an_encode_from_start_to_end(app: App, academy: Caller) -> None:
    video, key = fresh_id(), academy.lab.producer.upload(academy.tenant, CLIP)
    wanted = {"job_type": "video.encode", "payload": {"video_id": video, "file_key": key}}
    await asyncio.to_thread(app.suspend, "video")  # or it may have begun, or be done, before we have looked
    try:
        taken = await academy.post("/jobs", wanted, X_Request_Id="from-a-test")
        assert taken == {"job_id": taken["job_id"], "job_type": "video.encode", "status": "PENDING"}
        seen = await academy.get(f"/jobs/{taken['job_id']}")
        assert seen["status"] == "PENDING" and seen["finished_at"] is None
        joined = await academy.post(
            "/jobs", {"job_type": "video.encode", "payload": {"video_id": video, "file_key": key}}
        )
        assert joined["job_id"] == taken["job_id"], "one encode of a file at a time"
    finally:
        app.resume("video")
    done = await academy.ended(taken["job_id"])
    assert done["status"] == "DONE" and done["result"]["duration"] > 5
    assert done["links"] == {} and done["source"] is None and done["progress"] is None
    log = await academy.get(f"/jobs/{taken['job_id']}/log")
    assert [line["kind"] for line in log["items"]] == ["accepted", "began", "finished"]
    assert log["items"][0]["detail"] == {"request_id": "from-a-test"}
    described = await academy.lab.temporal.get_workflow_handle(seen["workflow_id"]).describe()
    assert (await described.memo())["request_id"] == "from-a-test"
    assert await academy.refused("POST", f"/jobs/{taken['job_id']}/cancel", 409) == "already_final"
    assert await academy.refused("POST", f"/jobs/{taken['job_id']}/retry", 409) == "not_retryable"


async def test_a_trim_that_cannot_be_is_refused_at_once(academy: Caller, stranger: Caller) -> None:
    video = fresh_id()
    prefix = f"{hls_root(academy.tenant, video)}0123456789ab-1/"
    row = {"status": "READY", "duration": 100.0, "hls_path": "x", "hls_prefix": prefix, "file_key": ""}
    async with academy.lab.engine.begin() as connection:
        await connection.execute(insert(Video).values(tenant_id=academy.tenant, id=video, **row))
    version = (await academy.get(f"/videos/{video}"))["version"]
    assert version == "0123456789ab-1"

    def wanted(**more: Any) -> dict[str, Any]:
        payload = {"video_id": video, "version": version, "start": 1.0, **more}
        return {"job_type": "video.trim", "payload": payload}

    assert await stranger.refused("POST", "/jobs", 404, wanted()) == "not_found"
    other = wanted(version="0123456789ab-2")
    assert await academy.refused("POST", "/jobs", 409, other) == "version_changed"
    for odd in ({"start": 99.5}, {"start": 0}, {"end": 101.0}, {"start": 5, "end": 5.5}):
        assert await academy.refused("POST", "/jobs", 422, wanted(**odd)) == "trim_outside"
    # Who was accepted and has not heard of it asks again, when the part may be shown already.
    key = uuid4().hex
    taken = await academy.post("/jobs", wanted(), key=key)
    async with academy.lab.engine.begin() as connection:
        await connection.execute(delete(IdempotencyKey).where(IdempotencyKey.tenant_id == academy.tenant))
        this = update(Video).where(Video.tenant_id == academy.tenant, Video.id == video)
        await connection.execute(this.values(hls_prefix=prefix.replace("0123456789ab", "ba9876543210")))
    assert (await academy.post("/jobs", wanted(), key=key))["job_id"] == taken["job_id"]
    assert await academy.refused("POST", "/jobs", 409, wanted()) == "version_changed"
    await academy.row(f"encode-{video}", JobState.RUNNING, job_type="video.encode", video_id=video)
    assert await academy.refused("POST", "/jobs", 409, wanted()) == "lecture_busy"


async def test_a_waiting_job_is_cancelled_and_asked_for_again(academy: Caller) -> None:
    job_id = (await academy.post("/jobs", ocr(academy.tenant)))["job_id"]
    assert await academy.refused("POST", f"/jobs/{job_id}/retry", 409) == "not_final"
    assert (await academy.post(f"/jobs/{job_id}/cancel"))["job_id"] == job_id
    again = await academy.ask("POST", f"/jobs/{job_id}/cancel")
    assert again.status_code == 202 or again.json()["code"] == "already_final", again.text
    ended = await academy.ended(job_id)
    assert (ended["status"], ended["error_code"]) == ("CANCELLED", "CANCELLED")
    retried = await academy.post(f"/jobs/{job_id}/retry")
    twice = await academy.post(f"/jobs/{job_id}/retry")
    assert retried["job_id"] == twice["job_id"] != job_id
    await academy.post(f"/jobs/{retried['job_id']}/cancel")
    assert (await academy.ended(retried["job_id"]))["status"] == "CANCELLED"
    assert await academy.refused("POST", f"/jobs/{job_id}/retry", 409) == "already_retried"


async def test_a_cancel_of_what_was_never_started(academy: Caller) -> None:
    name = f"never-{uuid4()}"
    await academy.row(name, JobState.PENDING)
    await academy.post(f"/jobs/{name}/cancel")
    assert (await academy.ended(name))["status"] == "CANCELLED"


async def test_what_names_people_is_not_kept_for_a_retry(academy: Caller) -> None:
    wanted = {"job_type": "ai.embedding", "payload": {"texts": ["홍길동"]}}
    job_id = (await academy.post("/jobs", wanted))["job_id"]
    await academy.post(f"/jobs/{job_id}/cancel")
    await academy.ended(job_id)
    assert await academy.refused("POST", f"/jobs/{job_id}/retry", 409) == "payload_gone"
    async with academy.lab.engine.connect() as connection:
        kept = select(Job.sealed_payload).where(Job.external_id == job_id)
        assert (await connection.execute(kept)).scalar_one() is None


OF_ANOTHER = {"to": "01000000000", "text": "x", "source_tenant_id": 1}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"job_type": "ai.ocr", "payload": {"file_key": "tenants/1/x.pdf"}}, "foreign_key_prefix"),
        ({"job_type": "ai.ocr", "payload": {"file_key": "x.pdf"}}, "foreign_key_prefix"),
        ({"job_type": "ai.ocr", "payload": {"file_key": "tenants/{t}/x.pdf", "tenant_id": 1}}, "invalid"),
        (
            {"job_type": "messaging.send", "payload": {"to": "1", "text": "x", "source_tenant_id": 1}},
            "invalid",
        ),
        ({"job_type": "ai.ocr", "payload": {}}, "invalid"),
        ({"job_type": "ai.ocr", "tier": "gold", "payload": {"file_key": "tenants/{t}/x.pdf"}}, "invalid"),
        ({"job_type": "ops.reconcile", "payload": {}}, "invalid"),
        ({"job_type": "ai.embedding", "payload": {"texts": ["\ud800"]}}, "unstorable_text"),
        (
            {"job_type": "ai.ocr", "payload": {"file_key": "tenants/{t}/x.pdf", "note": "\u0000"}},
            "unstorable_text",
        ),
        (
            {"job_type": "video.encode", "payload": {"video_id": 1, "file_key": "tenants/1/x"}},
            "foreign_key_prefix",
        ),
    ],
)
async def test_what_cannot_be_asked_for(academy: Caller, wanted: dict[str, Any], code: str) -> None:
    import json

    text = json.dumps(wanted).replace("{t}", str(academy.tenant))
    answer = await academy.http.post(
        "/api/v1/jobs",
        content=text,
        headers={"Authorization": f"Bearer {academy.key}", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_the_list_page_by_page(stranger: Caller) -> None:
    names = [f"{n}-{uuid4()}" for n in range(5)]
    for n, name in enumerate(names):
        state = JobState.FAILED if n % 2 else JobState.DONE
        await stranger.row(name, state, error_code="INTERNAL" if n % 2 else None)
    first = await stranger.get("/jobs?limit=2")
    assert [item["job_id"] for item in first["items"]] == [names[4], names[3]]
    second = await stranger.get(f"/jobs?limit=2&cursor={first['next_cursor']}")
    third = await stranger.get(f"/jobs?limit=2&cursor={second['next_cursor']}")
    assert [item["job_id"] for item in second["items"] + third["items"]] == [names[2], names[1], names[0]]
    assert third["next_cursor"] is None
    failed = await stranger.get("/jobs?state=FAILED&job_type=ai.ocr")
    assert [item["job_id"] for item in failed["items"]] == [names[3], names[1]]
    assert failed["items"][0]["error_message"]
    assert set(failed["items"][0]) == {
        *("job_id", "job_type", "status", "accepted_at", "started_at", "finished_at"),
        *("error_code", "error_message", "workflow_id", "progress"),
    }
    assert await stranger.get("/jobs?job_type=video.encode") == {
        "items": [],
        "next_cursor": None,
        "source": None,
    }


async def test_files_of_a_result_have_fresh_links(academy: Caller) -> None:
    name, key = f"files-{uuid4()}", f"tenants/{academy.tenant}/ai/results/x/text.txt"
    academy.lab.objects.put(key, b"words", "text/plain")
    files = {"text.txt": key, "other": "tenants/1/ai/results/x/text.txt"}
    await academy.row(name, result={"files": files})
    for path in (f"/jobs/{name}", f"/jobs/{name}/"):
        shown = await academy.get(path)
        assert set(shown["links"]) == {"text.txt"}, "nobody else's objects"
        async with httpx.AsyncClient() as anybody:
            assert (await anybody.get(shown["links"]["text.txt"])).content == b"words"
    async with academy.lab.engine.connect() as connection:
        stored = (await connection.execute(select(Job.result).where(Job.external_id == name))).scalar_one()
    assert stored == {"files": files}


async def test_what_a_browser_would_run_is_saved(academy: Caller) -> None:
    name, key = f"hocr-{uuid4()}", f"tenants/{academy.tenant}/ai/results/x/hocr.html"
    academy.lab.objects.put(key, b"<script>1</script>", "text/html")
    await academy.row(name, result={"files": {"hocr.html": key}})
    link = (await academy.get(f"/jobs/{name}"))["links"]["hocr.html"]
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(link)).headers["content-disposition"] == "attachment"


async def test_a_retry_of_an_encode_that_has_a_newer_file(academy: Caller) -> None:
    file = academy.lab.producer.upload(academy.tenant, CLIP)
    video = fresh_id()
    bad = f"tenants/{academy.tenant}/video/raw/1/gone.mp4"
    payload = {"video_id": video, "file_key": bad}
    job_id = (await academy.post("/jobs", {"job_type": "video.encode", "payload": payload}))["job_id"]
    assert (await academy.ended(job_id))["status"] in ("FAILED", "REJECTED_BAD_INPUT")
    again = await academy.ask("POST", f"/jobs/{job_id}/retry")
    if again.status_code == 202:
        await academy.ended(again.json()["job_id"])
    payload = {"video_id": video, "file_key": file}
    newer = (await academy.post("/jobs", {"job_type": "video.encode", "payload": payload}))["job_id"]

    async def begun() -> bool:
        log = await academy.get(f"/jobs/{newer}/log")
        return "began" in [line["kind"] for line in log["items"]]

    await eventually(begun, "the newer file is the video's")
    await academy.post(f"/jobs/{newer}/cancel")
    await academy.ended(newer)
    assert await academy.refused("POST", f"/jobs/{job_id}/retry", 409) == "superseded"
