"""What lists of the console call things, how they are searched, and what becomes of a lecture's title."""

import unicodedata
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, insert, select, update

from api.file_names import opened
from clients.database.messaging_models import MessageJob
from clients.database.models import Job, Video
from clients.database.uploads import Upload
from clients.keys import TenantKeys
from clients.progress import ProgressBoard, connect
from clients.vault import Vault
from contracts.jobs import JobState
from contracts.progress import Progress
from devstack.stack import Stack
from rules.quiet_hours import KST
from tests import signed_in
from tests.api.conftest import Caller
from tests.api.test_console import console
from tests.lab import Lab, fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = "2학기 (중간) [3반].pdf"
KOREAN, ENGLISH = {"Accept-Language": "ko"}, {"Accept-Language": "en"}


async def uploaded(academy: Caller, name: str = NAME) -> UUID:
    """As a Mac sends it: 한글 in single letters."""
    decomposed = unicodedata.normalize("NFD", name)
    about = {"filename": decomposed, "size": 3, "content_type": "application/pdf", "purpose": "document"}
    return UUID((await academy.post("/uploads", about, 201))["upload_id"])


async def job_of(academy: Caller, **values: object) -> UUID:
    name = str(uuid4())
    await academy.row(name, **values)  # type: ignore[arg-type]
    async with academy.lab.engine.connect() as connection:
        query = select(Job.id).where(Job.external_id == name)
        return UUID(str((await connection.execute(query)).scalar_one()))


async def operator(lab: Lab, http: httpx.AsyncClient) -> None:
    """From now on it is an operator without an academy who looks."""
    http.cookies = httpx.Cookies(await signed_in.cookie(lab, None, operator=True))


async def test_a_list_says_what_a_file_was_called_to_its_own_academy_only(
    academy: Caller, stack: Stack
) -> None:
    lab, upload = academy.lab, await uploaded(academy)
    found = await job_of(academy, upload_id=upload, error_code="PDF_BROKEN", state=JobState.FAILED)
    other = await job_of(academy)
    async with lab.engine.connect() as connection:
        sealed = (
            await connection.execute(select(Upload.sealed_name).where(Upload.id == upload))
        ).scalar_one()
    assert sealed and "중간".encode() not in sealed
    today = datetime.now(UTC).astimezone(KST).date()
    async with console(lab, stack, academy.tenant) as http:

        async def shown(path: str, **search: str) -> set[UUID]:
            answer = await http.get(f"/console/{path}", params=search, headers=KOREAN)
            assert answer.status_code == 200
            assert (NAME in answer.text) == (str(found) in answer.text)
            return {each for each in (found, other) if str(each) in answer.text}

        for path in ("", "ocr"):
            every = {"show": "all"} if not path else {}
            assert await shown(path, **every) == {found, other}
            for words in ("중간", "[3반]", unicodedata.normalize("NFD", "중간")):
                assert await shown(path, q=words, **every) == {found}, words
            assert await shown(path, q="기말", **every) == set()
            assert await shown(path, day=str(today), **every) == {found, other}
            assert await shown(path, day=str(today - timedelta(days=1)), **every) == set()
            assert await shown(path, q="", day="", **every) == {found, other}, "a form sends empty fields"
        assert await shown("", show="all", code="pdf_broken") == {found}
        assert await shown("", show="all", type="ai.ocr") == {found, other}
        assert await shown("", show="all", type="video.encode") == set()
        assert await shown("", show="all", q=str(other)[:8]) == {other}
        assert await shown("home") == {found}
        assert (await http.get("/console/", params={"q": "\0"})).status_code == 400
        for nonsense in ({"day": "yesterday"}, {"show": "none"}, {"before": "-1"}):
            assert (await http.get("/console/", params=nonsense)).status_code == 404, nonsense
        assert NAME in (await http.get(f"/console/jobs/{found}")).text
        await operator(lab, http)
        theirs = {"show": "all", "tenant": str(academy.tenant)}
        page = (await http.get("/console/", params=theirs, headers=ENGLISH)).text
        assert str(found) in page and NAME not in page and "A PDF" in page
        assert str(found) not in (await http.get("/console/", params=theirs | {"tenant": "1"})).text
        assert (await http.get("/console/", params={"show": "all", "q": "중간"})).text.count(str(found)) == 0


async def test_the_job_of_a_file_is_known_by_the_name_that_the_file_had(academy: Caller) -> None:
    """From the upload to the job's row, by the way that every request goes."""
    file = (await academy.get(f"/uploads/{await uploaded(academy)}"))["file_key"]
    job = await academy.post("/jobs", {"job_type": "ai.ocr", "payload": {"file_key": file, "mode": "auto"}})
    async with academy.lab.engine.connect() as connection:
        known = select(Upload.id, Upload.sealed_name).join(Job, Job.upload_id == Upload.id)
        (row,) = await connection.execute(known.where(Job.external_id == job["job_id"]))
    keys = TenantKeys(academy.lab.engine, Vault(academy.lab.settings.payload_keys.get_secret_value()))
    assert row.sealed_name and await opened(keys, academy.tenant, {row.id: row.sealed_name}) == {row.id: NAME}
    await academy.end(job["job_id"])


async def test_what_waits_for_its_time_is_not_running(academy: Caller, stack: Stack) -> None:
    lab, tomorrow = academy.lab, datetime.now(UTC) + timedelta(days=1)
    planned = await job_of(academy, state=JobState.RUNNING, job_type="messages.send")
    row = {"tenant_id": academy.tenant, "job_id": planned, "send_at": tomorrow, "recipients": 30}
    async with lab.engine.begin() as connection:
        await connection.execute(insert(MessageJob).values(row))
        others = update(Job).where(
            Job.tenant_id == academy.tenant, Job.id != planned, Job.finished_at.is_(None)
        )
        await connection.execute(others.values(state=JobState.DONE, finished_at=func.now()))
    redis = connect(lab.settings)
    named = {"step": "prepare", "step_name": "prepare", "step_name_display": "내용 확인"}
    progress = Progress(**named, step_index=1, step_total=3, step_percent=0, percent=0)
    await ProgressBoard(redis).show_job(academy.tenant, planned, progress)
    await redis.aclose()
    async with console(lab, stack, academy.tenant) as http:
        for path in ("/console/", "/console/home", f"/console/jobs/{planned}"):
            page = (await http.get(path, headers=KOREAN)).text
            assert "받는 사람 30명" in page and f"{tomorrow.astimezone(KST):%Y-%m-%d %H:%M}" in page, path
            assert "<progress" not in page, path
        assert "예약됨" in (await http.get("/console/", headers=KOREAN)).text


async def test_home_leaves_out_what_was_run_again(academy: Caller, stack: Stack) -> None:
    failed = await job_of(academy, state=JobState.FAILED)
    again = await job_of(academy, state=JobState.FAILED)
    await academy.row(f"retry:{again}", JobState.DONE)
    long_ago = datetime.now(UTC) - timedelta(days=8)
    old = await job_of(academy, state=JobState.FAILED, accepted_at=long_ago)
    async with console(academy.lab, stack, academy.tenant) as http:
        page = (await http.get("/console/home")).text
        assert str(failed) in page and str(again) not in page and str(old) not in page
        await operator(academy.lab, http)
        answer = await http.get("/console/home")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/")


async def test_a_lecture_is_found_and_renamed(academy: Caller, stack: Stack) -> None:
    first, second = fresh_id(), fresh_id()
    known = {"tenant_id": academy.tenant, "file_key": f"tenants/{academy.tenant}/x"}
    async with academy.lab.engine.begin() as connection:
        titled = {"title": "1강 (월) 50%", "status": "READY"}
        await connection.execute(insert(Video).values(id=first, **known, **titled))
        await connection.execute(insert(Video).values(id=second, **known, title="2강", error_code="X"))

    async def found(**search: str) -> set[int]:
        query = "&".join(f"{name}={value}" for name, value in search.items())
        return {each["video_id"] for each in (await academy.get(f"/videos?{query}"))["items"]}

    assert await found() >= {first, second}
    assert await found(q="50%25") == {first} and await found(q="_") == set(), "no wildcards"
    assert await found(q=unicodedata.normalize("NFD", "1강")) == {first}, "as a Mac writes it"
    assert await found(state="failed") == {second} and await found(state="ready") == {first}
    page = await academy.get("/videos?limit=1")
    assert (await academy.get(f"/videos?limit=1&cursor={page['next_cursor']}"))["items"] != page["items"]
    path = f"/videos/{first}"
    renamed = await academy.ask("PATCH", path, {"title": unicodedata.normalize("NFD", " 새 제목 ")})
    assert renamed.status_code == 200 and renamed.json()["title"] == "새 제목"
    assert (await academy.get(path))["title"] == "새 제목"
    for wrong in ({"title": " "}, {"title": "x" * 201}, {}, {"title": "x", "status": "READY"}):
        assert await academy.refused("PATCH", path, 422, wrong) == "invalid", wrong
    async with console(academy.lab, stack, academy.tenant) as http:
        listed = (await http.get("/console/lectures", params={"q": "새 제목"})).text
        assert f"/console/lectures/{first}" in listed and f"/console/lectures/{second}" not in listed
