"""Workers of the last release and of today take over from each other in the middle of everything, both ways.

The last release is `tests/releases/*.tar.xz`, and works on today's tables.
"""

import asyncio
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select
from temporalio.service import RPCError

from clients.database import credits
from clients.database.academy_models import Student
from devstack.app import App
from devstack.stack import ROOT, Stack
from tests.faults.test_ai import answer_sheets, children, units
from tests.integration.test_ai import Desk
from tests.integration.test_encode import encoding_began
from tests.lab import Lab, eventually, fresh_id
from tests.messages import Mail, phones

pytestmark = pytest.mark.slow

WORKERS = ("bridge", "ops", "video", "messaging", "ai")
SLOW = {"ENCODE_SLOTS": "1", "AI_SLOTS": "1", "SHUTDOWN_GRACE_SECONDS": "0"}
SHEETS, STUDENTS = 16, 300


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its packages, without the models, which are those of today."""
    archives = (ROOT / "tests/releases").glob("*.tar.xz")
    newest = max(archives, key=lambda file: [int(part) for part in file.name.split(".")[:3]])
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(newest) as packed:
        packed.extractall(folder, filter="data")
    (folder / "release/activities/ai/models").symlink_to(ROOT / "activities/ai/models")
    return folder / "release"


def fleet(stack: Stack, name: str, folder: Path) -> App:
    """All workers of one release."""
    app = App(stack, *WORKERS, **SLOW)
    for kind, process in app.processes.items():
        process.log = process.log.with_name(f"{name}-{kind}.log")
        if folder != ROOT:
            # An option before `-m`: tests fork what has none, with the modules of today.
            process.cwd, process.argv = folder, [sys.executable, "-u", *process.argv[1:]]
    return app


@asynccontextmanager
async def working(app: App) -> AsyncIterator[None]:
    await asyncio.to_thread(app.start)
    try:
        yield
    finally:
        await asyncio.to_thread(app.stop)


def roster() -> bytes:
    lines = "".join(f"학생{chr(0xAC00 + n)},0102{n:07d}\n" for n in range(STUDENTS))
    return f"이름,학부모 연락처\n{lines}".encode()


@dataclass(frozen=True)
class Halfway:
    """A lecture, a document, a roster and a sending, each in the middle, and nobody at work."""

    lab: Lab
    mail: Mail
    sender: int  # the tenant of the sending; the others are one's
    message: UUID
    to: list[str]
    tenant: int
    video: int

    @classmethod
    async def of(cls, app: App, lab: Lab, lecture: Path, folder: Path) -> "Halfway":
        """Lets the workers of `app` begin them all, and stops it."""
        mail, desk = Mail(lab), Desk(lab, None, folder, app)  # type: ignore[arg-type]
        sender, to = await mail.account(credit=0), phones(3)
        message = await mail.send(sender, to)
        await mail.stage(sender, message, "waiting for credit")

        tenant, video = fresh_id(), fresh_id()
        lab.send_encode(tenant, video, lecture)
        await encoding_began(lab, tenant, video)
        await asyncio.to_thread(app.processes["video"].stop, 30)

        payload = {
            "question_count": 30,
            "file_key": desk.upload(tenant, "booklet.pdf", answer_sheets(SHEETS)),
        }
        desk.send(tenant, "omr_grading", payload)
        await eventually(lambda: asyncio.to_thread(units, lab, tenant), "the first sheet", every=0.05)
        for child in children(app):
            child.suspend()  # so that the roster, behind it in the only slot, is not begun
        payload = {
            "bucket": "academy-video",
            "tenant_id": tenant,
            "lecture_id": 7,
            "initial_password": "first-1",
        }
        key = desk.upload(tenant, "roster.csv", roster())
        desk.send(tenant, "excel_parsing", payload | {"file_key": key})
        half = cls(lab, mail, sender, message, to, tenant, video)
        await eventually(half._roster_waits, "the roster waits for its worker")
        await asyncio.to_thread(app.stop)
        assert len(units(lab, tenant)) < SHEETS
        assert [job.finished_at for job in await lab.jobs(tenant)] == [None] * 3
        return half

    async def _roster_waits(self) -> bool:
        jobs = await self.lab.jobs(self.tenant)
        with suppress(RPCError, IndexError):  # not accepted yet, or not started
            handle = self.lab.temporal.get_workflow_handle(jobs[2].workflow_id)
            return bool((await handle.describe()).raw_description.pending_activities)
        return False

    async def ends(self) -> None:
        """Everything is done, and once."""
        async with self.lab.engine.begin() as connection:
            await credits.top_up(connection, self.sender, Decimal(1_000_000), "late")
        await self.mail.handle(self.sender, self.message).signal("credit")
        jobs = await self.lab.ended(self.tenant, 3)
        # Nobody has marked the sheets, and they say so.
        assert [job.state for job in jobs] == ["DONE", "REVIEW_REQUIRED", "DONE"]
        assert (await self.lab.video(self.tenant, self.video)).status == "READY"
        assert jobs[1].result["summary"]["sheets"] == SHEETS
        async with self.lab.engine.connect() as connection:
            students = select(func.count()).select_from(Student).where(Student.tenant_id == self.tenant)
            assert await connection.scalar(students) == STUDENTS
        assert (await self.mail.ended(self.message)).state == "DONE"
        await self.mail.delivered_once(self.message, self.sender, self.to, 60)

    async def hands(self) -> list[set[int]]:
        """For each job, the processes that took a task of it."""
        ids = [job.workflow_id for job in await self.lab.jobs(self.tenant)]
        return [await self._hands(each) for each in [*ids, self.mail.handle(self.sender, self.message).id]]

    async def _hands(self, workflow_id: str) -> set[int]:
        history = await self.lab.temporal.get_workflow_handle(workflow_id).fetch_history()
        identities = [
            started.identity
            for event in history.events
            for started in (
                event.workflow_task_started_event_attributes,
                event.activity_task_started_event_attributes,
            )
        ]
        return {int(each.partition("@")[0]) for each in identities if each}


async def test_each_goes_on_with_what_the_other_began(
    own_lab: Lab, last_release: Path, small_lecture: Path, tmp_path: Path
) -> None:
    lab = own_lab
    old, new = fleet(lab.stack, "old", last_release), fleet(lab.stack, "new", ROOT)
    for first, second in ((old, new), (new, old)):
        pids: list[set[int]] = []
        async with working(first):
            pids.append({process.pid for process in first.processes.values()})
            half = await Halfway.of(first, lab, small_lecture, tmp_path)
        async with working(second):
            pids.append({process.pid for process in second.processes.values()})
            await half.ends()
        for hands in await half.hands():
            assert all(hands & fleet for fleet in pids), "one of the two had no part in it"
