"""Whole pages read by Tesseract alone, as the program that pytesseract starts, with the project's models."""

import csv
import os
import resource
import signal
import sys
import tempfile
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import pytesseract
from PIL import Image
from pytesseract.pytesseract import TesseractError, run_tesseract

from activities.ai.pages import DPI, Pixels
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.ocr import engine
from activities.ai.tasks.ocr.models import BOTH, program, tessdata
from activities.ai.tasks.ocr.tesseract import lines_of
from activities.ai.tasks.ocr.words import Line, Word, line_of
from activities.host.cage.caging import LAUNCHER, Cage
from contracts.errors import TASK_CRASHED, TASK_TIMED_OUT

CAGED = Path(__file__).with_name("tesseract.sh")
_WORD = "5"  # a row's level in Tesseract's table
# Spaces as on the page; no search for vertical writing, which it finds wherever letters stand below each
# other; both files of one run: pytesseract's own calls read the page once for each.
_OPTIONS = (
    "--psm 3 -c preserve_interword_spaces=1 -c textord_tabfind_vertical_text=0"
    " -c tessedit_create_txt=1 -c tessedit_create_tsv=1"
)
SOFTER = 1.2  # pixels at 300 dpi: pages without a scanner's blur fall apart into columns of single letters


def fingerprint() -> str:
    _put_in_cage()
    found = f"pytesseract {pytesseract.__version__}, program {pytesseract.get_tesseract_version()}"
    return f"{found}, {engine.fingerprint()}"


def read(page: Pixels) -> list[Line]:
    """The lines as Tesseract finds them on an upright page. Raises BadInput: TASK_TIMED_OUT, TASK_CRASHED."""
    _put_in_cage()
    with TemporaryDirectory() as folder:
        picture, out = Path(folder, "page.bmp"), Path(folder, "page")
        Image.fromarray(cv2.GaussianBlur(page, (0, 0), SOFTER)).save(picture, dpi=(DPI, DPI))
        try:
            run_tesseract(str(picture), str(out), extension="", lang=BOTH, config=_OPTIONS)
        except TesseractError as error:  # its text holds paths
            timed_out = error.status in (-signal.SIGXCPU, -signal.SIGKILL)
            raise BadInput(TASK_TIMED_OUT if timed_out else TASK_CRASHED, {"exit": error.status}) from None
        text = out.with_suffix(".txt").read_text()
        with out.with_suffix(".tsv").open(newline="") as table:
            rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
            pieces = deque(_word(row) for row in rows if row["level"] == _WORD and row["text"].strip())
    return [line_of(words) for words in lines_of(text, pieces) if words]


def _put_in_cage() -> None:
    """The program inherits our limits, but would outlive us without its own launcher."""
    kinds = resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU
    memory, file, cpu = (resource.getrlimit(kind)[0] for kind in kinds)
    found = program(os.environ.get("TESSERACT_BINARY", ""))
    cage = Cage(memory, file, cpu, reads=(str(tessdata()),), writes=(tempfile.gettempdir(),))
    os.environ |= {
        "CAGE_PYTHON": sys.executable,
        "CAGE_LAUNCHER": str(LAUNCHER),
        "CAGE": cage.argument(found),
        "CAGE_PROGRAM": found,
        "TESSDATA_PREFIX": str(tessdata()),
    }
    pytesseract.pytesseract.tesseract_cmd = str(CAGED)


def _word(row: dict[str, str]) -> Word:
    left, top, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
    return Word(row["text"].strip(), float(row["conf"]), (left, top, left + width, top + height))
