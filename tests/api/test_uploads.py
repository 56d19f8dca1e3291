"""Bytes from a client to the bucket, over links."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, update

from activities.sweeping import SweepActivities
from api.schemas_uploads import LARGEST, MOST_PARTS
from api.uploads import SMALLEST_PART, part_size
from clients.database.uploads import Upload
from clients.objects import ObjectMissing
from clients.uploads import UploadStore
from tests.api.conftest import Caller
from tests.lab import CLIP, PATIENCE, eventually, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

PDF = {"filename": "김철수 시험지.PDF", "size": 4, "content_type": "application/pdf", "purpose": "document"}
BIG = 2 * SMALLEST_PART + 5


async def test_a_part_size_for_every_file() -> None:
    for size in (100 * 2**20 + 1, 7 * 2**30, LARGEST):
        assert part_size(size) * MOST_PARTS >= size
        assert part_size(size) >= SMALLEST_PART and part_size(size) % 2**20 == 0


async def put(url: str, data: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(timeout=PATIENCE) as anybody:
        return await anybody.put(url, content=data, headers=named)


async def row(academy: Caller, upload_id: str) -> Any:
    async with academy.lab.engine.connect() as connection:
        return (await connection.execute(select(Upload).where(Upload.id == UUID(upload_id)))).one()


async def test_one_put(academy: Caller) -> None:
    begun = await academy.post("/uploads", PDF, 201)
    assert begun["method"] == "put" and begun["part_size"] is None
    assert begun["file_key"] == f"tenants/{academy.tenant}/ai/uploads/{begun['upload_id']}.pdf"
    path = f"/uploads/{begun['upload_id']}"
    assert await academy.refused("POST", f"{path}/complete", 409) == "incomplete"
    assert await academy.refused("POST", f"{path}/parts", 409, {"numbers": [1]}) == "not_multipart"
    assert (await put(begun["upload_url"], b"%PDF", Content_Type="text/html")).status_code == 403
    assert (await put(begun["upload_url"], b"%PDF", Content_Type="application/pdf")).status_code == 200
    for _ in range(2):
        done = await academy.post(f"{path}/complete", status=200)
        assert (done["state"], done["size"]) == ("completed", 4)
    assert await academy.get(path) == done
    assert await academy.refused("DELETE", path, 409) == "already_complete"
    assert academy.lab.objects.get(begun["file_key"]) == b"%PDF"
    assert (await put(begun["upload_url"], b"%EXE", Content_Type="application/pdf")).status_code in (200, 403)
    assert academy.lab.objects.get(begun["file_key"]) == b"%PDF", "its link is dead"


async def test_a_link_is_dead_after_an_abort(academy: Caller) -> None:
    begun = await academy.post("/uploads", PDF, 201)
    assert (await academy.ask("DELETE", f"/uploads/{begun['upload_id']}")).status_code == 204
    await put(begun["upload_url"], b"%PDF", Content_Type="application/pdf")
    with pytest.raises(ObjectMissing):
        academy.lab.objects.get(begun["file_key"])


async def test_a_part_has_the_length_that_was_signed(academy: Caller) -> None:
    video = {"filename": "a.mp4", "size": 2**27, "content_type": "video/mp4", "purpose": "video"}
    begun = await academy.post("/uploads", video, 201)
    links = await academy.post(f"/uploads/{begun['upload_id']}/parts", {"numbers": [1]}, 200)
    assert (await put(links["urls"]["1"], b"short")).status_code == 403
    assert (await academy.ask("DELETE", f"/uploads/{begun['upload_id']}")).status_code == 204


@pytest.mark.parametrize("kind", ["image/svg+xml", "image/x-anything", "video/html", "application/pdf"])
async def test_only_listed_types_are_taken(academy: Caller, kind: str) -> None:
    image = {"filename": "a", "size": 4, "content_type": kind, "purpose": "image"}
    assert await academy.refused("POST", "/uploads", 422, image) == "invalid_content_type"


async def test_a_browser_may_put_from_a_page(academy: Caller) -> None:
    begun = await academy.post("/uploads", PDF, 201)
    asks = {"Origin": "http://127.0.0.1:8000", "Access-Control-Request-Method": "PUT"}
    async with httpx.AsyncClient() as browser:
        allowed = await browser.options(
            begun["upload_url"], headers=asks | {"Access-Control-Request-Headers": "content-type"}
        )
        assert allowed.status_code in (200, 204) and allowed.headers["access-control-allow-origin"]
        assert "PUT" in allowed.headers["access-control-allow-methods"]
        sent = await browser.put(
            begun["upload_url"],
            content=b"%PDF",
            headers={"Origin": asks["Origin"], "Content-Type": "application/pdf"},
        )
    assert sent.status_code == 200
    assert "etag" in sent.headers.get("access-control-expose-headers", "").lower()


async def test_another_file_than_was_announced(academy: Caller) -> None:
    begun = await academy.post("/uploads", PDF, 201)
    for data, kind, code in (
        (b"12345", "application/pdf", "wrong_size"),
        (b"1234", "text/html", "wrong_type"),
    ):
        academy.lab.objects.put(
            begun["file_key"], data, kind
        )  # as a store that checks no headers would let it
        assert await academy.refused("POST", f"/uploads/{begun['upload_id']}/complete", 409) == code


async def test_parts_and_a_reload_in_the_middle(academy: Caller) -> None:
    """A file of three parts; the limit for one PUT is 100 MB, so the row is made as for a larger file."""
    begun = await academy.post("/uploads", PDF | {"size": 101 * 2**20}, 201)
    assert begun["method"] == "multipart" and begun["part_size"] == SMALLEST_PART
    path = f"/uploads/{begun['upload_id']}"
    async with academy.lab.engine.begin() as connection:
        this = Upload.id == UUID(begun["upload_id"])
        await connection.execute(update(Upload).where(this).values(size=BIG))
    assert await academy.refused("POST", f"{path}/parts", 422, {"numbers": [4]}) == "invalid"
    urls = (await academy.post(f"{path}/parts", {"numbers": [1, 2, 3]}, 200))["urls"]
    whole = bytes(range(256)) * (SMALLEST_PART // 256)
    assert (await put(urls["1"], whole)).status_code == 200
    assert (await put(urls["3"], b"12345")).status_code == 200
    there = await academy.get(path)
    assert [(part["number"], part["size"]) for part in there["parts"]] == [(1, SMALLEST_PART), (3, 5)]
    answer = await academy.ask("POST", f"{path}/complete")
    assert (answer.status_code, answer.json()["code"]) == (409, "incomplete")
    assert answer.json()["detail"].endswith(": 2.")
    again = (await academy.post(f"{path}/parts", {"numbers": [2]}, 200))["urls"]
    assert (await put(again["2"], whole)).status_code == 200
    for _ in range(2):
        assert (await academy.post(f"{path}/complete", status=200))["state"] == "completed"
    found = await asyncio.to_thread(academy.lab.objects.head, begun["file_key"])
    assert found.size == BIG


async def test_abort(academy: Caller) -> None:
    begun = await academy.post("/uploads", PDF | {"size": 101 * 2**20}, 201)
    path, store = f"/uploads/{begun['upload_id']}", UploadStore(academy.lab.settings)
    multipart = (await row(academy, begun["upload_id"])).multipart_id
    urls = (await academy.post(f"{path}/parts", {"numbers": [1]}, 200))["urls"]
    await put(urls["1"], b"x" * SMALLEST_PART)
    for _ in range(2):
        assert (await academy.ask("DELETE", path)).status_code == 204
    assert (await academy.get(path))["state"] == "aborted"
    assert await academy.refused("POST", f"{path}/complete", 409) == "already_aborted"
    assert not academy.lab.keys(begun["file_key"])
    with pytest.raises(ObjectMissing):
        store.parts(begun["file_key"], multipart)


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "video"},
        {"content_type": "text/html"},
        {"size": 2**31},
        {"size": 0},
        {"purpose": "secret"},
        {"session": "../x", "purpose": "video", "content_type": "video/mp4"},
    ],
)
async def test_what_is_not_taken(academy: Caller, change: dict[str, Any]) -> None:
    assert (await academy.ask("POST", "/uploads", PDF | change)).status_code == 422


async def test_from_upload_to_a_video(academy: Caller) -> None:
    data = CLIP.read_bytes()
    wanted = {"filename": "1강.mp4", "size": len(data), "content_type": "video/mp4", "purpose": "video"}
    begun = await academy.post("/uploads", wanted | {"session": "12"}, 201)
    assert begun["file_key"] == f"tenants/{academy.tenant}/video/raw/12/{begun['upload_id']}.mp4"
    video = {"upload_id": begun["upload_id"], "title": "1강"}
    assert await academy.refused("POST", "/videos", 409, video) == "not_a_complete_video"
    assert (await put(begun["upload_url"], data, Content_Type="video/mp4")).status_code == 200
    await academy.post(f"/uploads/{begun['upload_id']}/complete", status=200)
    made, again = await academy.post("/videos", video, 201), await academy.post("/videos", video, 201)
    assert made == again and made["video_id"] >= 10**12
    shown = await academy.get(f"/media/videos/{made['video_id']}/progress/")
    assert shown["status"] == "UPLOADED"


async def test_the_old_paths(academy: Caller) -> None:
    body = {"filename": "2강.mp4", "session": 7, "title": "2강", "content_type": "video/mp4"}
    begun = await academy.post("/media/videos/upload/init/", body, 201)
    video = begun["video"]["id"]
    assert set(begun) == {"video", "upload_url", "file_key", "content_type"}
    assert begun["file_key"].startswith(f"tenants/{academy.tenant}/video/raw/7/")
    assert begun["video"] == {
        "id": video,
        "title": "2강",
        "session": 7,
        "status": "PENDING",
        "file_key": begun["file_key"],
    }
    done = f"/media/videos/{video}/upload/complete/"
    assert await academy.refused("POST", done, 409) == "incomplete"
    answer = await put(begun["upload_url"], CLIP.read_bytes(), Content_Type=begun["content_type"])
    assert answer.status_code == 200
    first, second = await academy.post(done), await academy.post(done)
    assert first == second == {"id": video, "job_id": first["job_id"], "status": "UPLOADED"}
    assert (await academy.ended(first["job_id"]))["status"] == "DONE"
    assert await academy.post(done) == first
    assert await academy.refused("POST", f"/media/videos/{fresh_id()}/upload/complete/", 404) == "not_found"


async def test_abandoned_uploads_are_swept(academy: Caller) -> None:
    store = UploadStore(academy.lab.settings)
    single = await academy.post("/uploads", PDF, 201)
    await put(single["upload_url"], b"%PDF", Content_Type="application/pdf")
    parts = await academy.post("/uploads", PDF | {"size": 101 * 2**20}, 201)
    fresh = await academy.post("/uploads", PDF, 201)
    multipart = (await row(academy, parts["upload_id"])).multipart_id
    assert store.parts(parts["file_key"], multipart) == {}
    async with academy.lab.engine.begin() as connection:
        old = [UUID(single["upload_id"]), UUID(parts["upload_id"])]
        since = func.now() - timedelta(hours=3)
        await connection.execute(update(Upload).where(Upload.id.in_(old)).values(touched_at=since))
    swept = await SweepActivities(academy.lab.engine, store, timedelta(hours=2)).sweep()
    assert swept["uploads"] >= 2
    states = [
        (await academy.get(f"/uploads/{each['upload_id']}"))["state"] for each in (single, parts, fresh)
    ]
    assert states == ["aborted", "aborted", "open"]
    assert not academy.lab.keys(single["file_key"])
    with pytest.raises(ObjectMissing):
        store.parts(parts["file_key"], multipart)


async def test_the_sweep_is_scheduled(academy: Caller) -> None:
    schedule = academy.lab.temporal.get_schedule_handle("sweep")
    await schedule.trigger()

    async def ran() -> bool:
        return (await schedule.describe()).info.num_actions > 0

    assert await eventually(ran)
    (last,) = (await schedule.describe()).info.recent_actions[-1:]
    handle = academy.lab.temporal.get_workflow_handle(last.action.workflow_id, result_type=dict[str, int])
    assert set(await handle.result()) == {"uploads", "payloads", "keys"}
