"""AI jobs end to end: from the producers' messages to results in the bucket, rows, and the callback."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pikepdf
import psutil
import pytest
import pytest_asyncio
import uvicorn
import xlsxwriter
from fastapi import FastAPI, Request, Response
from PIL import Image
from sqlalchemy import Row, delete, func, select
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest
from temporalio.common import Priority

from activities.ai.sandbox.task import BadInput
from activities.ai.source import Sources
from activities.ai.tasks.omr.sheet import sheet
from clients.database.academy_models import Student
from clients.database.models import Job, JobEvent
from clients.download import Downloads
from clients.keys import TenantKeys
from clients.people import open_student
from clients.vault import Vault
from contracts.catalog import CATALOG
from contracts.errors import ROSTER_NOT_UNDOABLE
from contracts.jobs import JobOutcome, JobRef
from devstack.app import App, running
from devstack.ports import LOOPBACK
from devstack.stack import Stack
from intake.reconcile import Reconciler
from intake.restore import Restorer
from tests.hostile.documents import DOCUMENTS
from tests.hostile.tables import TABLES
from tests.integration.serving import serving
from tests.integration.test_reconcile import closed
from tests.lab import PATIENCE, SAMPLE, Lab, PatientSubmitter, cpu_seconds, eventually, fresh_id
from tests.pages import OF_THE_SDK, page
from workers.running import READY

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "canary-Passw0rd"
LISTED = "localhost"  # the host that links may lead to


@dataclass
class Desk:
    """Somebody who uploads files and sends the producers' messages about them."""

    lab: Lab
    http: httpx.AsyncClient
    folder: Path
    app: App

    def upload(self, tenant: int, name: str, data: bytes) -> str:
        key = f"tenants/{tenant}/uploads/{uuid4().hex}/{name}"
        self.lab.objects.put(key, data, "application/octet-stream")
        return key

    def send(self, tenant: int, job_type: str, payload: dict[str, Any], tier: str = "basic") -> str:
        job_id = f"job-{uuid4().hex}"
        body = {
            "job_id": job_id,
            "job_type": job_type,
            "tier": tier,
            "payload": payload,
            "tenant_id": str(tenant),
            "source_domain": "test",
            "source_id": "1",
            "created_at": "2026-01-01T00:00:00Z",
            "attempt": 1,
        }
        self.lab.send(f"ai-{tier}", body)
        return job_id

    async def ended(self, tenant: int, job_id: str) -> Row[Any]:
        async def look() -> Row[Any] | None:
            found = [job for job in await self.lab.jobs(tenant) if job.external_id == job_id]
            return found[0] if found and found[0].finished_at else None

        async def instead() -> str:
            said = [process.said()[-3000:] for process in self.app.processes.values()]
            return "\n".join([await self.lab.standing(tenant), *said])

        job = await eventually(look, f"{job_id} ended", instead=instead)
        assert job is not None
        return job

    def result(self, job: Row[Any], name: str) -> bytes:
        return self.lab.objects.get(job.result["files"][name])

    def roster(self, rows: list[list[str]]) -> bytes:
        file = self.folder / f"{uuid4().hex}.xlsx"
        with xlsxwriter.Workbook(file) as book:
            table = book.add_worksheet("겨울 특강")
            table.write_row(0, 0, ["2026 겨울 특강 명단"])
            for number, row in enumerate([["이름", "학부모 연락처", "학교", "학년"], *rows]):
                table.write_row(2 + number, 0, row)
        return file.read_bytes()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(stack: Stack, app: App, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    lab = await Lab.open(stack)
    async with (
        running(stack, "ai", DOWNLOAD_HOSTS=LISTED, DOWNLOAD_INNER_ADDRESSES="true") as worker,
        httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http,
    ):
        yield Desk(lab, http, tmp_path_factory.mktemp("desk"), worker)
    await lab.close()


STUDENTS = [[f"학생{letter}", f"010-2222-{n:04}", "한빛초", "3"] for n, letter in enumerate("가나다라마바사")]


async def test_a_roster_is_tried_committed_and_committed_again(desk: Desk) -> None:
    tenant = fresh_id()
    key = desk.upload(tenant, "roster.xlsx", desk.roster([*STUDENTS, ["번호없음", "없음", "", ""]]))
    payload = {"file_key": key, "bucket": "academy-video", "tenant_id": tenant, "initial_password": PASSWORD}

    tried = await desk.ended(tenant, desk.send(tenant, "excel_parsing", payload | {"dry_run": True}))
    assert (tried.state, tried.result["summary"]["new"]) == ("REVIEW_REQUIRED", 7)
    async with desk.lab.engine.connect() as connection:
        mine = select(Student).where(Student.tenant_id == tenant)
        assert not (await connection.execute(mine)).all(), "a dry run writes nothing"

    done = await desk.ended(tenant, desk.send(tenant, "excel_parsing", payload))
    assert done.result["summary"]["new"] == 7
    assert done.result["summary"]["failed"] == 1
    (problem,) = json.loads(desk.result(done, "report.json"))["problems"]
    assert (problem["sheet"], problem["row"], problem["value"]) == ("겨울 특강", 11, "없음")
    named = json.loads(desk.result(done, "columns.json"))["sheets"][0]
    assert [each["field"] for each in named["columns"]] == ["name", "parent_phone", "school", "grade"]
    again = await desk.ended(tenant, desk.send(tenant, "excel_parsing", payload))
    assert (again.result["summary"]["new"], again.result["summary"]["unchanged"]) == (0, 7)
    async with desk.lab.engine.connect() as connection:
        rows = (await connection.execute(mine)).all()
    assert len(rows) == 7

    undone = await desk.ended(
        tenant, desk.send(tenant, "roster_undo", {"tenant_id": tenant, "roster_job_id": done.external_id})
    )
    assert (undone.state, undone.result["summary"]["removed_students"]) == ("DONE", 7)
    async with desk.lab.engine.connect() as connection:
        assert not (await connection.execute(mine)).all()
    await desk.lab.reopen(undone)
    assert not await desk.lab.stays_open(undone)
    async with desk.lab.engine.begin() as connection:
        await connection.execute(delete(JobEvent).where(JobEvent.job_id == undone.id))
    assert await desk.lab.stays_open(undone), "the database went back to before it"
    await desk.lab.endings().write(undone.id, JobOutcome(state=undone.state, result=undone.result))
    why = await desk.ended(
        tenant, desk.send(tenant, "roster_undo", {"tenant_id": tenant, "roster_job_id": tried.external_id})
    )
    assert (why.state, why.error_code) == ("REJECTED_BAD_INPUT", ROSTER_NOT_UNDOABLE), "it was only tried"

    # Nor do names lie about but in the results that people get.
    assert desk.lab.keys(f"tenants/{tenant}/ai/work/") == []

    # The password is used and kept nowhere: not in the rows, the results, the history or the logs.
    history = await desk.lab.temporal.get_workflow_handle(done.workflow_id).fetch_history()
    logs = "".join(path.read_text() for path in (desk.lab.stack.data_dir / "logs").iterdir())
    objects = b"".join(desk.lab.objects.get(each) for each in desk.lab.keys(f"tenants/{tenant}/ai/"))
    for place in (str(rows), history.to_json(), logs, objects.decode(errors="replace")):
        assert PASSWORD not in place
    assert "학생가" not in history.to_json() + logs + str(rows)

    told = await page(desk.app, "ai")
    assert told.names() >= OF_THE_SDK and told.of("worker_ready") == 1
    assert told.of("activity_attempts_total", activity="ai.import_roster", outcome="done") >= 3
    assert told.of("worker_disk_free_bytes") > 0 and "model_requests_total" in told.names()
    assert f'"{tenant}"' not in told.text and "학생" not in told.text


async def test_a_roster_that_a_restored_database_has_lost_is_made_again(desk: Desk) -> None:
    """Job and students are younger than the backup: the workflow has the request, and nobody asks again."""
    lab, tenant = desk.lab, fresh_id()
    key = desk.upload(tenant, "roster.xlsx", desk.roster(STUDENTS))
    payload = {"file_key": key, "bucket": "academy-video", "tenant_id": tenant, "initial_password": PASSWORD}
    external = desk.send(tenant, "excel_parsing", payload)
    before = await desk.ended(tenant, external)
    await closed(lab, before.workflow_id)
    async with lab.engine.begin() as connection:
        await connection.execute(delete(Student).where(Student.tenant_id == tenant))
        await connection.execute(delete(JobEvent).where(JobEvent.job_id == before.id))
        await connection.execute(delete(Job).where(Job.id == before.id))
    vault = Vault(lab.settings.payload_keys.get_secret_value())
    assert await Restorer(lab.engine, vault).restore(lab.temporal, before.workflow_id, before.id)
    assert await lab.stays_open(before), "a workflow that still ran would not end it"
    submitter = PatientSubmitter(lab.engine, lab.temporal, vault)
    reconciler = Reconciler(lab.engine, lab.temporal, submitter, lab.endings())

    async def ended() -> Row[Any] | None:
        await reconciler.run_once(timedelta(0))
        (job,) = await lab.jobs(tenant)
        return job if job.finished_at else None

    again = await eventually(ended)
    assert again is not None
    assert (again.id, again.state, again.external_id) == (before.id, "DONE", before.external_id)
    assert again.result["summary"] == before.result["summary"]
    async with lab.engine.connect() as connection:
        mine = select(func.count()).select_from(Student).where(Student.tenant_id == tenant)
        assert await connection.scalar(mine) == len(STUDENTS)


@pytest.mark.parametrize("again", [5, 3500])
async def test_rows_written_too_early_are_taken_back(desk: Desk, again: int) -> None:
    """The same student is in the same part of the transaction, or in another."""
    tenant = fresh_id()
    lines = [f"학생{letter},0102{n:07d},중1" for n, letter in enumerate("가나다라마바사" * 500)]
    lines.insert(again, "학 생가,01020000000,특강")
    text = "\n".join(["이름,학부모 연락처,반", *lines])
    key = desk.upload(tenant, "roster.csv", text.encode())
    payload = {"file_key": key, "bucket": "academy-video", "tenant_id": tenant, "lecture_id": 7}
    payload["initial_password"] = PASSWORD
    job = await desk.ended(tenant, desk.send(tenant, "excel_parsing", payload))
    counts = {"rows": 3501, "students": 3500, "failed": 0, "repeated": 1, "new": 3500, "enrolled": 3500}
    assert counts.items() <= job.result["summary"].items()
    vault = Vault(desk.lab.settings.payload_keys.get_secret_value())
    sealer = await TenantKeys(desk.lab.engine, vault).sealer(tenant)
    async with desk.lab.engine.connect() as connection:
        query = select(Student.id, Student.identity_mac, Student.sealed).where(Student.tenant_id == tenant)
        students = [open_student(sealer, row) for row in await connection.execute(query)]
    (twice,) = [each for each in students if each["parent_phone"] == "01020000000"]
    assert (len(students), twice["class_name"]) == (3500, "중1, 특강")


async def test_an_answer_sheet_is_read(desk: Desk) -> None:
    """From a PDF with a password, which is kept nowhere."""
    tenant, locked = fresh_id(), BytesIO()
    with pikepdf.open(BytesIO(sheet(20))) as document:
        document.save(locked, encryption=pikepdf.Encryption(user=PASSWORD, owner="another"))
    payload = {"file_key": desk.upload(tenant, "sheet.pdf", locked.getvalue()), "question_count": 20}
    wrong = await desk.ended(tenant, desk.send(tenant, "omr_grading", payload | {"password": "wrong"}))
    assert (wrong.state, wrong.error_code) == ("REJECTED_BAD_INPUT", "FILE_PASSWORD_WRONG")
    job_id = desk.send(tenant, "omr_grading", payload | {"mode": "scan", "password": PASSWORD})
    job = await desk.ended(tenant, job_id)
    kept = [desk.lab.objects.get(key) for key, _ in desk.lab.objects.list(f"tenants/{tenant}/ai/")]
    assert kept and not any(PASSWORD.encode() in each for each in kept) and job.sealed_payload is None
    assert job.state == "REVIEW_REQUIRED", "an empty sheet is not a zero"
    assert job.result["summary"]["questions"] == {"blank": 20}
    assert json.loads(desk.result(job, "answers.json"))


async def test_the_plain_engine_reads_a_page(desk: Desk) -> None:
    tenant = fresh_id()
    part = BytesIO()
    Image.open(SAMPLE.with_name("exam-page.png")).crop((0, 380, 1240, 1000)).save(part, "png")
    key = desk.upload(tenant, "page.png", part.getvalue())
    job = await desk.ended(tenant, desk.send(tenant, "ocr", {"file_key": key, "engine": "tesseract"}))
    assert job.state == "DONE" and job.result["engine"].startswith("pytesseract ")
    assert job.result["summary"]["engine_used"] == "tesseract" and job.result["summary"]["words"] > 15
    assert desk.result(job, "searchable.pdf").startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("gone.pdf", None, "FILE_MISSING"),
        ("empty.pdf", b"", "FILE_EMPTY"),
        ("text.pdf", b"hello", "FILE_NOT_SUPPORTED"),
        ("broken.pdf", b"%PDF-1.7\n" + b"\x00" * 500, "FILE_DAMAGED"),
    ],
)
async def test_a_bad_file_is_refused_with_a_reason(
    desk: Desk, name: str, data: bytes | None, code: str
) -> None:
    tenant = fresh_id()
    key = desk.upload(tenant, name, data) if data is not None else f"tenants/{tenant}/{name}"
    job = await desk.ended(tenant, desk.send(tenant, "omr_grading", {"file_key": key, "question_count": 20}))
    assert (job.state, job.error_code) == ("REJECTED_BAD_INPUT", code)


async def test_a_link_to_a_host_that_is_not_listed_is_not_followed(desk: Desk) -> None:
    tenant = fresh_id()
    link = f"http://{LOOPBACK}:{desk.lab.stack.ports.temporal_ui}/secret.pdf"
    job_id = desk.send(tenant, "omr_grading", {"download_url": link, "question_count": 20})
    job = await desk.ended(tenant, job_id)
    assert (job.state, job.error_code) == ("REJECTED_BAD_INPUT", "DOWNLOAD_REFUSED")


async def test_a_link_is_fetched_once_a_job(desk: Desk, tmp_path: Path) -> None:
    ref = JobRef(job_id=uuid4(), job_type="ai.excel_parsing", tenant_id=fresh_id())
    changed = {"download_hosts": LISTED, "download_inner_addresses": True}
    sources = Sources(desk.lab.objects, Downloads(desk.lab.settings.model_copy(update=changed)), tmp_path)
    async with serving(lambda _, __: Response(b"a,b")) as (server, port):
        link = {"download_url": f"http://{LISTED}:{port}/roster.csv"}
        first = await sources.find(ref, link, 100)
        server.reply = lambda _, __: Response(status_code=403)
        assert await sources.find(ref, link, 100) == first
        with pytest.raises(BadInput, match="FILE_MISSING"):
            await sources.find(ref.model_copy(update={"job_id": uuid4()}), link, 100)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_link_whose_time_is_over_is_a_missing_file(desk: Desk, status: int) -> None:
    tenant = fresh_id()
    async with serving(lambda _, __: Response(status_code=status)) as (server, port):
        link = f"http://{LISTED}:{port}/sheet.pdf?X-Amz-Signature=aa"
        job_id = desk.send(tenant, "omr_grading", {"download_url": link, "question_count": 20})
        job = await desk.ended(tenant, job_id)
    assert (job.state, job.error_code) == ("REJECTED_BAD_INPUT", "FILE_MISSING")
    assert len(server.asked) == 1


HOSTILE = {
    "omr_grading": ("locked-aes.pdf", "jbig2-bomb.pdf"),
    "excel_parsing": ("deflate-bomb.xlsx", "wide.xls", "macros.xlsx"),
}


async def test_hostile_files_end_their_own_jobs_and_nothing_else(desk: Desk) -> None:
    tenant = fresh_id()
    worker = desk.app.processes["ai"].pid
    roster = {"bucket": "academy-video", "tenant_id": tenant, "initial_password": PASSWORD}
    for job_type, names in HOSTILE.items():
        for name in names:
            build, ends = (DOCUMENTS | TABLES)[name]
            payload = {"file_key": desk.upload(tenant, name, build())}
            payload |= roster if job_type == "excel_parsing" else {"question_count": 20}
            before = cpu_seconds(worker)
            job = await desk.ended(tenant, desk.send(tenant, job_type, payload))
            spent = cpu_seconds(worker) - before
            assert spent < 10, f"{name} took {spent:.1f} s of processor time"
            assert (job.state, job.error_code in ends) == ("REJECTED_BAD_INPUT", True), (name, job.error_code)
    key = desk.upload(tenant, "good.xlsx", desk.roster(STUDENTS))
    good = await desk.ended(tenant, desk.send(tenant, "excel_parsing", roster | {"file_key": key}))
    assert good.state == "DONE"
    assert desk.app.processes["ai"].pid == worker and psutil.pid_exists(worker)
    assert desk.app.processes["ai"].said().count(f'"message": "{READY}"') == 1, "it was not started again"


@asynccontextmanager
async def receiver(answers: list[int]) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A submitting system: answers with the given statuses, then 200; gives its address and what it got."""
    got: list[tuple[dict[str, str], bytes]] = []
    told = FastAPI()

    @told.post("/done")
    async def done(request: Request) -> Response:
        got.append((dict(request.headers), await request.body()))
        return Response(status_code=answers.pop(0) if answers else 200)

    server = uvicorn.Server(uvicorn.Config(told, host=LOOPBACK, port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    try:
        yield f"http://{LOOPBACK}:{server.servers[0].sockets[0].getsockname()[1]}/done", got
    finally:
        server.should_exit = True
        await serving


async def test_the_end_is_told_to_who_asked(own_stack: Stack) -> None:
    lab, tenant = await Lab.open(own_stack), fresh_id()
    inner = {"DOWNLOAD_INNER_ADDRESSES": "true"}
    async with (
        running(own_stack, "api", "bridge", "ai", "ops", **inner) as app,
        receiver([503]) as (url, got),
    ):
        key = await lab.service_key(tenant)
        async with httpx.AsyncClient(
            base_url=app.api_url, headers={"Authorization": f"Bearer {key}"}
        ) as http:
            secret = (await http.put("/api/v1/callback/", json={"url": url})).json()["secret"]
            desk = Desk(lab, http, own_stack.data_dir, app)
            key = desk.upload(tenant, "empty.pdf", b"")
            job_id = desk.send(tenant, "omr_grading", {"file_key": key, "question_count": 20})
            await desk.ended(tenant, job_id)

            async def twice() -> bool:
                return len(got) == 2

            await eventually(twice, "told again after a 503")
    (first, _), (second, body) = got
    assert first["academy-delivery"] == second["academy-delivery"]
    signed = second["academy-timestamp"].encode() + b"." + body
    assert (
        second["academy-signature"] == "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    )
    told = json.loads(body)
    assert told["error_code"] == "FILE_EMPTY"
    assert (told["job_id"], told["status"]) == (job_id, "REJECTED_BAD_INPUT")
    await lab.close()


async def test_basic_is_served_three_times_as_often_as_lite(stack: Stack) -> None:
    lab = await Lab.open(stack)
    queue = f"tiers-{uuid4()}"
    row = CATALOG["ai.ocr"]

    async def add(tier: str, number: int) -> None:
        ref = JobRef(job_id=uuid4(), job_type="ai.ocr", tenant_id=7)
        key, weight = row.fairness(ref, {"tier": tier})
        await lab.temporal.start_activity(
            tier,
            id=f"{queue}-{tier}-{number}",
            task_queue=queue,
            schedule_to_close_timeout=timedelta(minutes=5),
            priority=Priority(priority_key=row.priority, fairness_key=key, fairness_weight=weight),
        )

    for tier, count in {"lite": 60, "basic": 160}.items():  # a few more than the share that each should get
        await asyncio.gather(*(add(tier, number) for number in range(count)))
    request = PollActivityTaskQueueRequest(
        namespace=lab.temporal.namespace, task_queue=TaskQueue(name=queue), identity="test"
    )
    served = []
    for _ in range(200):
        answer = await lab.temporal.workflow_service.poll_activity_task_queue(request)
        served.append(answer.activity_type.name)
    assert served.count("basic") / served.count("lite") == pytest.approx(3.0, abs=0.1)
    await lab.close()
