"""Every hostile file through the real tasks in the real sandbox: an end that people can read, in seconds, and
the next good file is read as if nothing had been."""

import os
from collections.abc import AsyncIterator, Mapping
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest
import pytest_asyncio
from PIL import Image

from activities.ai.pages import load
from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.process import Child
from activities.ai.sandbox.registry import TASKS
from activities.ai.sandbox.task import Assembled, BadInput
from activities.ai.tasks.omr.sheet import sheet
from contracts.errors import FILE_DAMAGED, FILE_ENCRYPTED, REASONS, TASK_OUT_OF_MEMORY, TASK_TIMED_OUT
from contracts.jobs import JobState
from tests.hostile.documents import BOMBS, DOCUMENTS, FINE, NOT_A_SHEET, Build
from tests.hostile.tables import GOOD, TABLES, sheet_of, xlsx
from tests.lab import cpu_seconds

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]

QUESTIONS = {"question_count": 20}
PAGES = 3  # of a file that was planned; the others are alike


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def documents(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Child]:
    async with Sandbox(tmp_path_factory.mktemp("documents")).open("omr_grading") as child:
        yield child


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tables(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Child]:
    async with Sandbox(tmp_path_factory.mktemp("tables")).open("excel_parsing") as child:
        yield child


async def read(child: Child, file: Path, parameters: Mapping[str, Any]) -> Assembled:
    """All steps of a job, as a worker takes them."""
    with TemporaryDirectory(dir=file.parent) as folder:
        units, out = Path(folder, "units"), Path(folder, "out")
        out.mkdir()
        results = []
        for unit in (await child.plan(file, parameters))[:PAGES]:
            (units / unit).mkdir(parents=True)
            results.append((unit, await child.run(file, unit, parameters, units / unit)))
        return await child.assemble(file, results, parameters=parameters, units=units, out=out)


async def outcome_of(child: Child, file: Path, parameters: Mapping[str, Any]) -> str | None:
    """The code with which it was refused, or FINE; within ten seconds of processor time."""
    before = cpu_seconds(os.getpid())
    try:
        await read(child, file, parameters)
    except BadInput as refusal:
        spent = cpu_seconds(os.getpid()) - before
        assert spent < 10, f"{spent:.1f} s of processor time"
        assert REASONS[refusal.code].state is JobState.REJECTED_BAD_INPUT
        if refusal.code == FILE_ENCRYPTED:
            await child.end()  # pdfium remembers it; a real child has one file
        return refusal.code
    return FINE


def written(folder: Path, name: str, build: Build) -> Path:
    file = folder / name
    file.write_bytes(build())
    return file


@cache
def document(name: str) -> bytes:
    return DOCUMENTS[name][0]()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty sheet on a small page, quickly read."""
    folder = tmp_path_factory.mktemp("good")
    picture = load(written(folder, "sheet.pdf", lambda: sheet(20)), 0, dpi=100)
    Image.fromarray(picture).save(folder / "good.pdf", resolution=250)
    return folder / "good.pdf"


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_document(documents: Child, tmp_path: Path, good: Path, name: str) -> None:
    file = written(tmp_path, name, partial(document, name))
    assert await outcome_of(documents, file, QUESTIONS) in DOCUMENTS[name][1]
    assert (await read(documents, good, QUESTIONS)).summary["questions"] == {"blank": 20}


@pytest.mark.parametrize("name", TABLES)
async def test_table(tables: Child, tmp_path: Path, name: str) -> None:
    build, ends = TABLES[name]
    assert await outcome_of(tables, written(tmp_path, name, build), {}) in ends
    good = await read(tables, written(tmp_path, "good.xlsx", lambda: xlsx(sheet_of(GOOD))), {})
    assert good.summary["students"] == 1


@pytest.mark.parametrize("name", BOMBS)
async def test_bomb(tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(TASKS, "hurried", "tests.hostile.hurried:HURRIED")
    async with Sandbox(tmp_path).open("hurried") as child:
        end = await outcome_of(child, written(tmp_path, name, BOMBS[name]), QUESTIONS)
        assert end in (TASK_TIMED_OUT, TASK_OUT_OF_MEMORY)
        assert (await read(child, good, QUESTIONS)).summary["sheets"] == 1


@pytest.mark.slow
async def test_ocr_takes_none_that_the_others_refuse(tmp_path: Path) -> None:
    async with Sandbox(tmp_path).open("ocr") as child:
        for name, (_, ends) in DOCUMENTS.items():
            if name == "hangul.pdf":  # it reads what Hangul writes, and of this there is half
                ends = {FILE_DAMAGED}
            file, out = written(tmp_path, name, partial(document, name)), tmp_path / f"{name}.out"
            out.mkdir()
            fine = {FINE, NOT_A_SHEET} & ends
            try:
                units = await child.plan(file, {})
                if not fine:  # only its pages tell
                    await child.run(file, units[0], {}, out)
            except BadInput as refusal:
                assert refusal.code in ends, name
                if refusal.code == FILE_ENCRYPTED:
                    await child.end()
            else:
                assert fine, name
            file.unlink()


@pytest.mark.slow
async def test_the_worker_stays_as_it_was(tmp_path: Path) -> None:
    """Files that kill their children, one after the other."""
    deadly = written(tmp_path, "wide.xls", TABLES["wide.xls"][0])
    large = written(tmp_path, "one-field.csv", TABLES["one-field.csv"][0])
    worker = psutil.Process()
    before = worker.children()
    sizes = []
    for _ in range(4):
        async with Sandbox(tmp_path).open("excel_parsing") as child:
            assert await outcome_of(child, deadly, {}) == TASK_OUT_OF_MEMORY
            await outcome_of(child, large, {})
        sizes.append(worker.memory_info().rss)
    assert sizes[-1] - sizes[1] < 10 << 20
    assert worker.children() == before
