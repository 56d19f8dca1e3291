"""What a host tells of itself: whether it has room, whose fault a program's end was, and who lives on it."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.registry import TASKS
from activities.ai.sandbox.task import BadInput
from activities.host import stall, trouble
from activities.host.cage.caging import lacking
from activities.host.programs import find_program
from activities.host.room import Room
from activities.host.scratch import own_scratch
from activities.host.trouble import HostTrouble, trouble_of
from activities.video.ffmpeg import FfmpegFailed, run_ffmpeg
from contracts.errors import ErrorType
from tests.lab import CLIP, PATIENCE, eventually
from tests.unit.media import TOOLS
from workers.slots import _Slots

LIVES = "import sys, time\nfrom pathlib import Path\nfrom activities.host.scratch import own_scratch\n"
LIVES += "print(own_scratch(Path(sys.argv[1])), flush=True)\ntime.sleep(10**6)"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        *((256 - number, "") for number in (errno.ENOSPC, errno.ENOMEM, errno.EROFS, errno.EDQUOT)),
        (183, "av_interleaved_write_frame(): No space left on device"),
        (1, "Error submitting a packet to the muxer: Disk quota exceeded"),
        (1, "Error opening output: Read-only file system"),
        (1, "Cannot allocate memory"),
        (-signal.SIGKILL, ""),
        (-signal.SIGTERM, ""),
    ],
)
def test_the_hosts_fault(code: int, said: str) -> None:
    assert trouble_of(code, said)


@pytest.mark.parametrize(
    ("code", "said"),
    [(183, "Invalid data found"), (251, "Input/output error"), (1, ""), (234, "Invalid argument"), (-11, "")],
)
def test_perhaps_the_files_fault(code: int, said: str) -> None:
    assert not trouble_of(code, said)


async def test_a_full_disk_in_ffmpegs_own_words() -> None:
    with pytest.raises(HostTrouble, match="No space left on device"):
        argv = ["-i", str(CLIP), "-c", "copy", "-f", "mpegts", "/dev/full"]
        await run_ffmpeg(TOOLS, argv, timeout=PATIENCE, reads=[CLIP], writes=[Path("/dev/full")])


async def test_what_the_file_lacks_is_no_trouble_of_the_host() -> None:
    with pytest.raises(FfmpegFailed):
        await run_ffmpeg(TOOLS, ["-i", __file__, "-f", "null", "-"], timeout=PATIENCE, reads=[Path(__file__)])


def test_room(tmp_path: Path) -> None:
    Room(tmp_path, kept=0).require(1)
    with pytest.raises(HostTrouble, match="lacks room") as caught:
        Room(tmp_path, kept=0).require(2**60)
    assert caught.value.kind is ErrorType.DISK_FULL
    with pytest.raises(HostTrouble, match="cannot be written"):
        Room(Path("/proc/self"), kept=-(2**60)).require()  # where nobody can write


async def test_a_child_that_dies_on_a_full_disk_is_no_verdict(tmp_path: Path) -> None:
    async with Sandbox(tmp_path).open("omr_grading") as child:
        await child.fingerprint()
        child._room = Room(tmp_path, kept=2**60)
        assert child._process
        child._process.kill()
        with pytest.raises(HostTrouble):
            await child.plan(Path(__file__), {})


async def test_a_child_that_does_not_start_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox(tmp_path).open("omr_grading") as child:
        monkeypatch.setitem(TASKS, "omr_grading", "tests.unit.test_host:NOTHING")
        with pytest.raises(HostTrouble, match="did not start"):
            await child.plan(Path(__file__), {})


async def test_what_one_child_died_of_is_asked_once_more(tmp_path: Path) -> None:
    """Somebody kills it: its file is well, and its job does not end for that."""
    async with Sandbox(tmp_path).open("excel_parsing") as child:
        await child.fingerprint()
        roster = tmp_path / "roster.csv"
        roster.write_text("이름,학부모 연락처\n김하나,01012345678\n")
        assert child._process
        child._process.send_signal(signal.SIGSTOP)
        asked = asyncio.create_task(child.plan(roster, {}))
        await eventually(lambda: asyncio.sleep(0, child._calls > 1), what="asked", every=0.02)
        child._process.kill()
        assert len(await asked) == 1


@pytest.mark.slow
async def test_the_kernel_may_make_proc_anew(tmp_path: Path) -> None:
    """Short of memory it forgets entries, and to Landlock the next look at them finds another file."""
    forget = Path("/proc/sys/vm/drop_caches")
    if not os.access(forget, os.W_OK):
        pytest.skip("only root can have the kernel forget")

    async def keep_forgetting() -> None:
        while True:
            await asyncio.to_thread(forget.write_text, "2")

    forgetting = asyncio.create_task(keep_forgetting())
    try:
        async with Sandbox(tmp_path).open("excel_parsing") as child:
            assert await child.fingerprint()
        assert await asyncio.to_thread(lacking, tmp_path) in ([], ["another user"])
    finally:
        forgetting.cancel()


async def test_a_child_that_the_kernel_killed_for_memory_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmstat = tmp_path / "vmstat"  # the kernel's own file counts the same; nobody may make it kill here
    vmstat.write_text("pgfault 7\noom_kill 3\n")
    monkeypatch.setattr(trouble, "_VMSTAT", vmstat)
    async with Sandbox(tmp_path).open("omr_grading") as child:
        for kills, end in ((3, BadInput), (4, HostTrouble)):
            await child.fingerprint()
            assert child._process
            child._process.send_signal(signal.SIGSTOP)
            child._calls = 0
            asked = asyncio.create_task(child.plan(Path(__file__), {}))
            await eventually(lambda: asyncio.sleep(0, child._calls), what="asked", every=0.02)
            vmstat.write_text(f"oom_kill {kills}\n")
            child._process.kill()
            with pytest.raises(end):
                await asked


def test_what_a_host_hides_counts_as_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers hide files of /proc, or whoever else runs: no work fails for that."""
    (tmp_path / "closed").symlink_to("closed")  # ELOOP also for root, who may open everything else
    for hidden in (tmp_path / "gone", tmp_path, tmp_path / "closed"):
        monkeypatch.setattr(trouble, "_VMSTAT", hidden)
        assert trouble.killed_for_memory() == 0
    monkeypatch.setattr(stall, "Path", lambda _: tmp_path / "closed")
    assert stall._cpu_seconds(os.getpid()) == 0


async def test_a_worker_without_room_asks_for_no_task(caplog: pytest.LogCaptureFixture) -> None:
    full = True

    def require_room() -> None:
        if full:
            raise HostTrouble("the disk lacks room")

    slots, queue = _Slots(2, require_room), SimpleNamespace(task_queue="video-encode")
    asks: Any = queue
    asking = asyncio.create_task(slots.reserve_slot(asks))

    async def said() -> bool:
        return "no task of video-encode is taken: the disk lacks room" in caplog.text

    await eventually(said, "it says why", every=0.02)
    assert not asking.done()
    full = False
    await asyncio.wait_for(asking, PATIENCE)
    await asyncio.wait_for(slots.reserve_slot(asks), PATIENCE)
    third = asyncio.create_task(slots.reserve_slot(asks))
    await asyncio.sleep(0)
    assert not third.done(), "two are two"
    await asyncio.to_thread(slots.release_slot, asks)
    await asyncio.wait_for(third, PATIENCE)


def test_nobody_removes_what_a_living_process_makes(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", LIVES, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            theirs = Path(process.stdout.readline().strip())
            (theirs / "segment").touch()
            ours = own_scratch(tmp_path)
            assert ours != theirs and (theirs / "segment").exists() and ours.stat().st_mode & 0o777 == 0o700
        finally:
            process.kill()
    another = own_scratch(tmp_path)
    assert not theirs.exists() and ours.exists() and another != ours


def test_what_a_release_without_locks_has_left_goes_after_days(tmp_path: Path) -> None:
    for name, age in (("scratch", 3 * 86400), ("ai", 60)):
        (tmp_path / name / "4711").mkdir(parents=True)
        then = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (then, then))
    own_scratch(tmp_path)
    assert not (tmp_path / "scratch").exists() and (tmp_path / "ai" / "4711").exists()


def test_a_script_in_the_path_is_not_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An activated environment has one for each program of a wheel; in the cage it finds nothing it needs."""
    scripts, programs = tmp_path / "scripts", tmp_path / "programs"
    for folder in (scripts, programs):
        folder.mkdir()
    (scripts / "tool").write_text("#!/usr/bin/env python\n")
    (scripts / "tool").chmod(0o755)
    wheel = tmp_path / "wheel"
    shutil.copy("/bin/true", wheel)
    monkeypatch.setenv("PATH", f"{scripts}:{programs}")
    assert find_program("tool", "", lambda: str(wheel)) == str(wheel)
    shutil.copy("/bin/true", programs / "tool")
    assert find_program("tool", "", lambda: str(wheel)) == str(programs / "tool")
    assert find_program("tool", str(scripts / "tool"), lambda: str(wheel)) == str(scripts / "tool")
