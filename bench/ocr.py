"""Recognition of drawn pages with known text: pages a minute and letters wrong, against Tesseract's own page
reading and OCRmyPDF with the same models. Two processes each, one thread a process, one after the other.

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
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from rapidfuzz.distance import Levenshtein

from activities.ai.ocr import engine
from activities.ai.ocr.task import OCR
from bench.ocr_pages import KINDS, Drawn, draw
from tests.lab import Lab

SEEDS = (1, 2)
PROCESSES = 2


async def run(_lab: Lab) -> dict[str, object]:
    os.environ["OMP_THREAD_LIMIT"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        pages: dict[Path, Drawn] = {}
        for kind in KINDS:
            for seed in SEEDS:
                path = Path(folder, f"{kind}-{seed}.png")
                pages[path] = draw(kind, seed)
                Image.fromarray(pages[path].pixels).save(path, dpi=(300, 300))
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(PROCESSES, spawn) as pool:
            list(pool.map(ours, [next(iter(pages))] * PROCESSES))  # models are loaded once a process
            result = {"ours": measured(pages, lambda paths: list(pool.map(ours, paths)))}
            memory = max(pool.map(peak, range(4 * PROCESSES)))
        with ThreadPoolExecutor(PROCESSES) as pool:
            for name, method in (("psm3", psm3), ("psm6", psm6), ("ocrmypdf", ocrmypdf)):
                result[name] = measured(pages, lambda paths, method=method: list(pool.map(method, paths)))
    rate, best = result["ours"]["pages_per_minute"], result["psm3"]["pages_per_minute"]
    return {
        "ours": result.pop("ours") | {"child_mb": memory >> 20},
        "peers": result,
        "ratio": rate / best,
        "unit": "pages a minute",
    }


def measured(pages: dict[Path, Drawn], method: Callable[[list[Path]], list[str]]) -> dict[str, float]:
    began = time.monotonic()
    texts = method(list(pages))
    took = time.monotonic() - began
    found = {"pages_per_minute": round(60 * len(pages) / took, 1)}
    for kind in KINDS:
        both = [(page, text) for page, text in zip(pages.values(), texts, strict=True) if page.kind == kind]
        truth = letters("".join("".join(page.lines) for page, _ in both))
        text = letters("".join(text for _, text in both))
        found[f"{kind}_cer"] = wrong(truth, text)
        found[f"{kind}_hangul"] = wrong(hangul(truth), hangul(text))
    return found


def wrong(truth: str, text: str) -> float:
    return round(Levenshtein.distance(truth, text) / len(truth), 4)


def letters(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())


def hangul(text: str) -> str:
    return "".join(letter for letter in text if "가" <= letter <= "힣")


def ours(page: Path) -> str:
    """A page with all its files, as the worker's child does it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        [unit] = OCR.plan(page, {})
        result = json.loads(json.dumps(OCR.run(page, unit, {}, out)))
        OCR.assemble(page, [(unit, result)], {}, out, out)
        return (out / "text.txt").read_text()


def peak(_: int) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def psm3(page: Path) -> str:
    return tesseract(page, 3)


def psm6(page: Path) -> str:
    return tesseract(page, 6)


def tesseract(page: Path, mode: int) -> str:
    program = Path(sys.executable).with_name("tesseract")
    argv = [
        program,
        page,
        "-",
        "-l",
        engine.LANGUAGES,
        "--psm",
        str(mode),
        "--tessdata-dir",
        engine.tessdata(),
    ]
    argv += ["-c", "preserve_interword_spaces=1"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def ocrmypdf(page: Path) -> str:
    """One page a process, as the others; PDF/A is left out, which would ask for Ghostscript."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text")
        argv = [sys.executable, "-m", "ocrmypdf", "-l", engine.LANGUAGES, "-j1", "--output-type", "pdf"]
        argv += ["--sidecar", text, page, Path(folder, "page.pdf")]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "TESSDATA_PREFIX": str(engine.tessdata())}
        subprocess.run(argv, check=True, capture_output=True, env=environment)
        return text.read_text()
