"""The line reader: a small network of our own, from a strip of pixels to letters with their places.

`training/` has how it was made. It answers for every fourth column of the strip; a letter is said once, at
one of the columns that it covers, and in between nothing (CTC).
"""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import onnxruntime

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.letters import LETTERS
from activities.ai.tasks.ocr.models import READER

ROWS = 40  # of a strip
STEP = 4  # columns of a strip for each answer

Answers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Letter:
    """`share`, 0 to 1, is what the network gives it against all others, which is no probability (`sureness`
    makes one of it); `at` is its place in columns of the strip."""

    text: str
    share: float
    at: float


@cache
def fingerprint() -> str:
    """The model by its content."""
    return f"line reader {hashlib.sha256(READER.read_bytes()).hexdigest()[:12]}"


def read(strip: Pixels) -> list[Letter]:
    """The letters of a strip of ROWS rows, spaces among them, from left to right. One at a time: several
    together take as long, more memory, and the padding of the shorter ones."""
    columns = strip.shape[1]
    wide = np.full((ROWS, -(-columns // STEP) * STEP), float(np.median(strip[:, -3:])), np.float32)
    wide[:, :columns] = strip
    (answers,) = _session().run(None, {"strip": (wide[None, None] / np.float32(255) - 0.5) * 2})
    return _letters(answers[0])


def _letters(answers: Answers) -> list[Letter]:
    """Of steps × letters: the best of each step, repeats as one."""
    best = answers.argmax(axis=1)
    shares = _shares(answers, best)
    letters: list[Letter] = []
    before = 0
    for step, letter in enumerate(best.tolist()):
        share = float(shares[step])
        if letter and letter == before:
            if share > letters[-1].share:
                letters[-1] = Letter(LETTERS[letter], share, (step + 0.5) * STEP)
        elif letter:
            letters.append(Letter(LETTERS[letter], share, (step + 0.5) * STEP))
        before = letter
    return letters


def _shares(answers: Answers, best: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """The softmax of each step's best, where that is a letter."""
    shares = np.zeros(len(best), np.float32)
    said = np.flatnonzero(best)
    top = answers[said, best[said]]
    shares[said] = 1 / np.exp(answers[said] - top[:, None]).sum(axis=1)
    return shares


@cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # every width is another size: it would keep the largest of each
    return onnxruntime.InferenceSession(READER, options, providers=["CPUExecutionProvider"])
