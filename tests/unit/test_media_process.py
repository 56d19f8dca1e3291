"""A program that we run cannot outlive us, outgrow its limits, or see what is not its business."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from activities.host.trouble import HostTrouble
from activities.video.ffmpeg import (
    TERM_GRACE,
    FfmpegFailed,
    FfmpegTimedOut,
    Limits,
    Progress,
    find_tools,
    fingerprint,
    run,
    run_ffmpeg,
)
from contracts.errors import ErrorType
from tests.lab import PATIENCE
from tests.unit import media

NEVER = 10 * PATIENCE  # the wall clock of what something else must end
# Ignores SIGTERM, and so does its child; tells both process ids.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
print(os.getpid(), flush=True)
time.sleep(10**6)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def running(pid: int) -> bool:
    """A zombie does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def start(args: list[str], lines: list[str], count: int) -> "asyncio.Task[str]":
    task = asyncio.create_task(run(args, timeout=NEVER, processes=True, on_line=lines.append))
    async with asyncio.timeout(PATIENCE):
        while len(lines) < count:
            await asyncio.sleep(0.02)
    return task


async def test_cancelling_leaves_nothing_even_of_what_ignores_sigterm() -> None:
    lines: list[str] = []
    task = await start(python(STUBBORN), lines, 2)
    task.cancel()
    await asyncio.sleep(TERM_GRACE / 4)
    task.cancel()  # a second time, while it is being ended
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(running(int(line)) for line in lines)


async def test_cancelling_stops_a_real_encode(tmp_path: Path) -> None:
    seen: list[Progress] = []
    args = f"-re -f lavfi -i testsrc2=s=320x180:d=6000 -c:v libx264 {tmp_path}/out.mp4".split()
    task = asyncio.create_task(
        run_ffmpeg(media.TOOLS, args, timeout=NEVER, writes=[tmp_path], on_progress=seen.append)
    )
    async with asyncio.timeout(PATIENCE):
        while len(seen) < 2:
            await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == sorted(set(seen))


async def test_the_wall_clock_ends_it() -> None:
    with pytest.raises(FfmpegTimedOut):
        await run(python(STUBBORN), timeout=0.5, processes=True)


COMPUTES = "import time\nend = time.monotonic() + {wall}\nwhile time.monotonic() < end:\n{work}\n"


async def test_one_that_hangs_is_ended() -> None:
    lines: list[str] = []
    with pytest.raises(HostTrouble) as caught:
        await run(python(STUBBORN), timeout=NEVER, processes=True, stall=0.5, on_line=lines.append)
    assert caught.value.kind is ErrorType.STALLED
    assert not running(int(lines[0]))


async def test_one_that_computes_and_tells_nothing_is_ended_too() -> None:
    with pytest.raises(HostTrouble, match="no progress"):
        await run(python(COMPUTES.format(wall=NEVER, work="    pass")), timeout=NEVER, stall=0.5)


async def test_one_that_waits_for_a_processor_does_not_hang() -> None:
    """It gets a fifth of one, as beside many others."""
    work = "    until = time.process_time() + 0.02\n    while time.process_time() < until: pass\n"
    work += "    time.sleep(0.08)"
    await run(python(COMPUTES.format(wall=2, work=work)), timeout=PATIENCE, stall=1)


async def test_an_error_in_the_reader_ends_it_too() -> None:
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        raise RuntimeError("reader")

    with pytest.raises(RuntimeError, match="reader"):
        await run(python(STUBBORN), timeout=NEVER, processes=True, on_line=on_line)
    assert not running(int(lines[0]))


def test_the_kernel_kills_it_when_we_are_killed() -> None:
    ours = (
        "import asyncio, sys\nfrom activities.video.ffmpeg import run\n"
        "code = 'import os,time; print(os.getpid(), flush=True); time.sleep(10**6)'\n"
        "say = lambda line: print(line, flush=True)\n"
        "asyncio.run(run([sys.executable, '-c', code], timeout=10**6, on_line=say))\n"
    )
    worker = subprocess.Popen(
        python(ours), stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(Path.cwd())}
    )
    assert worker.stdout
    pid = int(worker.stdout.readline())
    assert running(pid)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    deadline = time.monotonic() + PATIENCE
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not running(pid)


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("open('/tmp/too-large', 'wb').write(bytes(2_000_000))", Limits(file_size=1_000_000)),
        ("while True: pass", Limits(cpu_seconds=1)),
    ],
    ids=["file size", "cpu"],
)
async def test_a_limit_is_a_limit(code: str, limits: Limits, tmp_path: Path) -> None:
    with pytest.raises(FfmpegFailed) as caught:
        own = python(code.replace("/tmp", str(tmp_path)))
        await run(own, timeout=PATIENCE, writes=[tmp_path], limits=limits)
    assert caught.value.code in (-signal.SIGXFSZ, -signal.SIGXCPU, -signal.SIGKILL, 1)
    assert not isinstance(caught.value, FfmpegTimedOut)


async def test_memory_is_limited() -> None:
    with pytest.raises(FfmpegFailed) as caught:
        await run(python("bytes(2**30)"), timeout=PATIENCE, limits=Limits(address_space=2**29))
    assert "MemoryError" in caught.value.stderr_tail


async def test_it_sees_neither_our_secrets_nor_our_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "canary")
    lines: list[str] = []
    code = "import os, socket\nprint(dict(os.environ), flush=True)\nsocket.socket()"
    with pytest.raises(FfmpegFailed, match="PermissionError"):
        await run(python(code), timeout=PATIENCE, on_line=lines.append)
    assert lines and "canary" not in lines[0]


async def test_what_it_says_last_is_kept() -> None:
    code = "import sys; sys.stderr.write('x' * 100_000 + 'the reason'); sys.exit(3)"
    with pytest.raises(FfmpegFailed, match=r"exit code 3: .*the reason") as caught:
        await run(python(code), timeout=PATIENCE)
    assert len(caught.value.stderr_tail) == 4096


async def test_the_encoder_has_an_identity() -> None:
    assert find_tools(media.TOOLS.ffmpeg, media.TOOLS.ffprobe) == media.TOOLS
    assert await fingerprint(media.TOOLS) == await fingerprint(media.TOOLS)
    with pytest.raises(FileNotFoundError, match="no-such-ffmpeg"):
        find_tools("no-such-ffmpeg")
