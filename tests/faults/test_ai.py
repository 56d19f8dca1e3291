"""A job of many pages whose worker is killed, and one that is cancelled: finished pages are finished."""

import asyncio
import os
import signal
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import psutil
import pytest
from sqlalchemy import func, select

from activities.ai.tasks.omr.sheet import sheet
from clients.database.academy_models import Enrolment, Student
from devstack.app import App, running
from tests.integration.test_ai import Desk
from tests.lab import Lab, cpu_seconds, eventually, fresh_id

PAGES = 12
WRITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'worker-ai' AND query LIKE '%%INSERT INTO students%%'
        AND xact_start < now() - interval '100 ms'"""
WANTED = {"question_count": 30}


def answer_sheets(pages: int) -> bytes:
    """As many in one PDF."""
    with pikepdf.open(BytesIO(sheet(30))) as page, pikepdf.new() as booklet:
        for _ in range(pages):
            booklet.pages.extend(page.pages)
        out = BytesIO()
        booklet.save(out)
    return out.getvalue()


@pytest.fixture
def booklet() -> bytes:
    return answer_sheets(PAGES)


def units(lab: Lab, tenant: int) -> dict[str, Any]:
    """Finished pages and when they were written."""
    found = lab.producer.s3.list_objects_v2(
        Bucket=lab.settings.r2_bucket, Prefix=f"tenants/{tenant}/ai/work/"
    )
    return {
        each["Key"]: each["LastModified"]
        for each in found.get("Contents", [])
        if "/units/" in each["Key"] and each["Key"].endswith(".json")
    }


def children(worker: App) -> list[psutil.Process]:
    found = []
    for each in psutil.Process(worker.processes["ai"].pid).children(recursive=True):
        with suppress(psutil.Error):  # just ended
            if "activities.ai.sandbox.child" in each.cmdline():
                found.append(each)
    return found


async def begun(lab: Lab, tenant: int, count: int) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        done = await asyncio.to_thread(units, lab, tenant)
        return done if len(done) >= count else {}

    return await eventually(look, f"{count} pages")


async def test_kill_9_recomputes_no_finished_page(app: App, lab: Lab, booklet: bytes, tmp_path: Path) -> None:
    tenant = fresh_id()
    async with running(lab.stack, "ai") as worker:
        desk = Desk(lab, None, tmp_path, worker)  # type: ignore[arg-type]
        key = desk.upload(tenant, "booklet.pdf", booklet)
        job_id = desk.send(tenant, "omr_grading", WANTED | {"file_key": key})
        finished = await begun(lab, tenant, 2)
        assert len(finished) < PAGES
        orphans = children(worker)
        for each in orphans:
            each.suspend()  # from here they cannot end by themselves
        os.kill(worker.processes["ai"].pid, signal.SIGKILL)
        finished = await asyncio.to_thread(units, lab, tenant)

        async def gone() -> bool:
            return not any(each.is_running() for each in orphans)

        await eventually(gone, "the child died with its worker")
        await asyncio.to_thread(worker.restart, "ai")
        job = await desk.ended(tenant, job_id)
        # Again the same file: all of it is found.
        again = await desk.ended(tenant, desk.send(tenant, "omr_grading", WANTED | {"file_key": key}))
    assert job.result["summary"]["sheets"] == PAGES, job.result
    assert again.result["summary"]["sheets"] == PAGES
    written = await asyncio.to_thread(units, lab, tenant)
    assert len(written) == PAGES
    assert finished.items() <= written.items(), "a finished page was computed again"


async def test_kill_9_in_a_roster_writes_everybody_once(app: App, lab: Lab, tmp_path: Path) -> None:
    tenant, count = fresh_id(), 20_000
    lines = "".join(f"학생{chr(0xAC00 + n % 1000)},0102{n:07d}\n" for n in range(count))
    payload = {"bucket": "academy-video", "tenant_id": tenant, "lecture_id": 7, "initial_password": "first-1"}

    async def writing() -> bool:
        async with lab.engine.connect() as connection:
            return bool((await connection.exec_driver_sql(WRITING)).scalar())

    async with running(lab.stack, "ai") as worker:
        desk = Desk(lab, None, tmp_path, worker)  # type: ignore[arg-type]
        key = desk.upload(tenant, "roster.csv", f"이름,학부모 연락처\n{lines}".encode())
        job_id = desk.send(tenant, "excel_parsing", payload | {"file_key": key})
        await eventually(writing, "the second part is written", every=0.01)
        os.kill(worker.processes["ai"].pid, signal.SIGKILL)
        async with lab.engine.connect() as connection:
            students = select(func.count()).select_from(Student).where(Student.tenant_id == tenant)
            assert await connection.scalar(students) == 0, "all or nothing"
        await asyncio.to_thread(worker.restart, "ai")
        job = await desk.ended(tenant, job_id)
        async with lab.engine.connect() as connection:
            enrolled = select(func.count()).select_from(Enrolment).where(Enrolment.tenant_id == tenant)
            assert [await connection.scalar(each) for each in (students, enrolled)] == [count, count]
    assert (job.state, job.result["summary"]["new"]) == ("DONE", count)


async def test_cancel_stops_within_two_seconds_and_keeps_finished_pages(
    app: App, lab: Lab, booklet: bytes, tmp_path: Path
) -> None:
    tenant = fresh_id()
    async with running(lab.stack, "ai") as worker:
        desk = Desk(lab, None, tmp_path, worker)  # type: ignore[arg-type]
        key = desk.upload(tenant, "booklet.pdf", booklet)
        job_id = desk.send(tenant, "omr_grading", WANTED | {"file_key": key})
        await begun(lab, tenant, 1)
        (job,) = await lab.jobs(tenant)
        before = cpu_seconds(worker.processes["ai"].pid)
        await lab.temporal.get_workflow_handle(job.workflow_id).cancel()

        async def no_child() -> bool:
            return not children(worker)

        await eventually(no_child, "the child is gone")
        spent = cpu_seconds(worker.processes["ai"].pid) - before
        ended = await desk.ended(tenant, job_id)
        kept = await asyncio.to_thread(units, lab, tenant)
    assert spent < 2, f"{spent:.1f} s of processor time after the cancel"
    assert ended.state == "CANCELLED"
    assert 1 <= len(kept) < PAGES
