"""How long a child lives: for the next step of its own job, and for nobody else's."""

import contextlib
import os
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest

from activities.ai.sandbox import parent as sandboxing
from activities.ai.sandbox.parent import Sandbox, regular
from tests.lab import PATIENCE, eventually

TASK = "excel_parsing"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside other programs a child's start takes longer than another child would wait."""
    monkeypatch.setattr(sandboxing, "SECONDS", PATIENCE)


async def pid_of(sandbox: Sandbox, job: UUID | None = None) -> int:
    """Of a child that has answered."""
    async with sandbox.open(TASK, job) as child:
        await child.fingerprint()
        return child._process.pid


async def gone(*pids: int) -> bool:
    return not any(map(psutil.pid_exists, pids))


async def test_a_child_stays_for_the_next_step_of_its_own_job_alone(tmp_path: Path) -> None:
    sandbox, job, other = Sandbox(tmp_path), uuid4(), uuid4()
    first = await pid_of(sandbox, job)
    assert await pid_of(sandbox, other) != first
    assert await pid_of(sandbox, job) == first
    await sandbox.close()
    assert await gone(first) and list(tmp_path.iterdir()) == []


async def test_none_stays_without_a_job_when_ended_or_when_a_step_failed(tmp_path: Path) -> None:
    sandbox, job = Sandbox(tmp_path), uuid4()
    assert await gone(await pid_of(sandbox))
    with contextlib.suppress(ConnectionError):
        async with sandbox.open(TASK, job) as child:
            await child.fingerprint()
            failed = child._process.pid
            raise ConnectionError
    assert await gone(failed)
    async with sandbox.open(TASK, job) as child:
        await child.fingerprint()
        pid = child._process.pid
        await child.end()
    assert await gone(pid) and list(tmp_path.iterdir()) == []


async def test_few_stay_and_not_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(tmp_path)
    jobs = [uuid4() for _ in range(sandboxing.STAYS + 1)]
    oldest, *others = [await pid_of(sandbox, job) for job in jobs]
    await eventually(lambda: gone(oldest), what="the oldest is ended")
    assert all(map(psutil.pid_exists, others))
    monkeypatch.setattr(sandboxing, "SECONDS", 0.1)
    again = await pid_of(sandbox, jobs[-1])
    assert again == others[-1]
    await eventually(lambda: gone(again), what="its time is over")
    await sandbox.close()


async def test_one_that_died_while_it_waited_is_replaced(tmp_path: Path) -> None:
    sandbox, job = Sandbox(tmp_path), uuid4()
    first = await pid_of(sandbox, job)
    psutil.Process(first).kill()
    child, _ = sandbox._waiting[TASK, job]

    async def known() -> bool:  # a moment after the process is gone
        return not child.lives

    await eventually(known, what="dead")
    assert await pid_of(sandbox, job) != first
    await sandbox.close()


async def test_a_spare_is_ready_for_the_next_job_and_has_seen_none(tmp_path: Path) -> None:
    sandbox, job, other = Sandbox(tmp_path, spare=TASK), uuid4(), uuid4()

    async def spare() -> int | None:
        return sandbox._spare and sandbox._spare._process.pid

    first = await pid_of(sandbox, job)
    ready = await eventually(spare, what="a spare")
    assert await pid_of(sandbox, job) == first
    assert await pid_of(sandbox, other) == ready
    await sandbox.close()
    assert await gone(first, ready) and list(tmp_path.iterdir()) == []


def test_of_what_a_failed_child_leaves_only_files_are_kept(tmp_path: Path) -> None:
    """Reading a link would store what the worker may read and the child may not; a pipe would never end."""
    (tmp_path / "page.jpg").touch()
    (tmp_path / "link.jpg").symlink_to("/proc/self/environ")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert [path.name for path in regular(tmp_path)] == ["page.jpg"]
