"""Tesseract as a program: what it reads, and that it is confined as the child that started it."""

import asyncio
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pypdfium2 as pdfium
import pytest
from PIL import Image

from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.registry import TASKS, chosen
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.ocr.models import program
from contracts.errors import TASK_CRASHED, TASK_TIMED_OUT
from tests.hostile.villain import VILLAINS
from tests.integration.test_ocr import PAGE, error_rate, recognised
from tests.lab import eventually

REPORT = """#!/usr/bin/env -S python3 -I
import ctypes, json, os, resource, signal, socket
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
libc = ctypes.CDLL(None, use_errno=True)
def ptrace():
    if libc.ptrace(16, os.getppid(), 0, 0):
        raise OSError(ctypes.get_errno(), "")
said = {
    "socket": tried(socket.socket),
    "kill": tried(lambda: os.kill(os.getppid(), 0)),
    "ptrace": tried(ptrace),
    "session": tried(os.setsid),
    "group": tried(lambda: os.setpgid(0, 0)),
    "memory": resource.getrlimit(resource.RLIMIT_AS),
    "file": resource.getrlimit(resource.RLIMIT_FSIZE),
    "environment": dict(os.environ),
}
open(os.environ["TMPDIR"] + "/report", "w").write(json.dumps(said))
raise SystemExit(3)
"""
HANGING = '#!/bin/sh\necho "$$ $PPID" > "$TMPDIR/report"\nexec sleep 600\n'


@pytest.fixture(scope="module", autouse=True)
def villains() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, path in VILLAINS.items():
            patch.setitem(TASKS, name, path)
        yield


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which nothing is to be read before the program is asked."""
    file = tmp_path_factory.mktemp("blank") / "blank.png"
    Image.new("L", (600, 200), 255).save(file)
    return file


def script(folder: Path, text: str) -> str:
    """A program in Tesseract's place."""
    path = folder / "tesseract"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def report(folder: Path) -> str:
    """What it has written so far, where its child may write."""
    return "".join(path.read_text() for path in folder.glob("*/work/report"))


async def test_the_exam_page(tmp_path: Path) -> None:
    done, out = await recognised(PAGE, tmp_path, "ocr_plain")
    assert done.summary["engine_used"] == "tesseract"
    (page,) = json.loads((out / "result.json").read_text())["pages"]
    words = [word for line in page["lines"] for word in line["words"]]
    assert len(words) == done.summary["words"] > 50
    for word in words:
        left, top, right, bottom = word["box"]
        assert 0 <= left < right <= page["width"] and 0 <= top < bottom <= page["height"]
        assert 0 <= word["confidence"] <= 100
    assert error_rate((out / "text.txt").read_text(), hangul=True) < 0.15
    (found,) = [word for word in words if word["text"] == "지나는"]
    text = pdfium.PdfDocument(out / "searchable.pdf")[0].get_textpage()
    at = text.search("지나는").get_next()
    assert at and text.get_charbox(at[0])[0] * 300 / 72 == pytest.approx(found["box"][0], abs=30)
    assert set(done.files) >= {"result.json", "text.txt", "hocr.html", "searchable.pdf", "overlay.png"}


async def test_the_engine_is_the_program_that_is_set(tmp_path: Path) -> None:
    assert chosen("ocr", {"engine": "tesseract"}) == "ocr_plain"
    assert chosen("ocr", {"engine": "google"}) == chosen("ocr", {}) == "ocr"
    async with Sandbox(tmp_path).open("ocr_plain") as child:
        assert (await child.fingerprint()).startswith("pytesseract ")
    with pytest.raises(FileNotFoundError, match="no-such-tesseract"):
        program("no-such-tesseract")


async def test_the_program_is_confined(tmp_path: Path, blank: Path) -> None:
    path = script(tmp_path, REPORT)
    async with Sandbox(tmp_path, path).open("ocr_plain") as child:
        with pytest.raises(BadInput) as refusal:
            await child.run(blank, "page-0001", {}, tmp_path)
        said: dict[str, Any] = json.loads(report(tmp_path))
    assert (refusal.value.code, refusal.value.detail) == (TASK_CRASHED, {"exit": 3})
    for deed in ("socket", "kill", "ptrace", "session", "group"):
        assert said[deed] == "PermissionError", deed
    assert said["memory"] == [4 << 30] * 2 and said["file"] == [2 << 30] * 2
    assert said["environment"]["OMP_THREAD_LIMIT"] == "1"
    assert "DB_PASSWORD" not in said["environment"] and "R2_SECRET_ACCESS_KEY" not in said["environment"]


@pytest.mark.parametrize("how", ["child", "cancel"])
async def test_a_program_that_hangs_ends_with_its_child(tmp_path: Path, blank: Path, how: str) -> None:
    path = script(tmp_path, HANGING)
    async with Sandbox(tmp_path, path).open("ocr_plain") as child:
        reading = asyncio.create_task(child.run(blank, "page-0001", {}, tmp_path))

        async def begun() -> str | None:
            assert not reading.done()
            return report(tmp_path) or None

        pids = [int(pid) for pid in (await eventually(begun, "the program runs") or "").split()]
        if how == "child":  # as when the kernel needs its memory, or the worker is killed
            os.kill(pids[1], 9)
            await eventually(lambda: gone(pids[:1]), "the program ends with its child")
            with pytest.raises(BadInput):
                await reading
        else:
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert await gone(pids)


async def gone(pids: list[int]) -> bool:
    found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return all(process.status() == psutil.STATUS_ZOMBIE for process in found)


@pytest.mark.parametrize("deed", ["start", "become", "call_home", "kill", "kill_a_thread", "escape"])
async def test_a_child_may_start_nothing(tmp_path: Path, deed: str) -> None:
    await refused(tmp_path, "villain", deed)


@pytest.mark.parametrize("deed", ["call_home", "kill", "kill_a_thread", "escape"])
async def test_a_child_that_may_start_programs_may_do_no_more(tmp_path: Path, deed: str) -> None:
    await refused(tmp_path, "armed", deed)


async def refused(folder: Path, task: str, deed: str) -> None:
    async with Sandbox(folder).open(task) as child:
        with pytest.raises(BadInput) as refusal:
            await child.run(Path(), deed, {"port": 9, "seconds": "60"}, folder)
    assert (refusal.value.code, refusal.value.detail) == (TASK_CRASHED, {"exception": "PermissionError"})


async def test_the_wall_clock_ends_all_of_them(tmp_path: Path) -> None:
    seconds = f"1000.{secrets.randbelow(10**12)}"  # known from those of other runs on this machine
    async with Sandbox(tmp_path).open("hasty") as child:
        with pytest.raises(BadInput) as refusal:
            await child.run(Path(), "start", {"seconds": seconds}, tmp_path)
    assert refusal.value.code == TASK_TIMED_OUT
    running = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"])]
    assert ["sleep", seconds] not in running
