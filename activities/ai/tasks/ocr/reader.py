"""The line reader: a small network of our own, from a strip of pixels to letters with their places.

`training/` has how it was made. It answers for every fourth column of the strip; a letter is said once, at
one of the columns that it covers, and in between nothing (CTC).
"""

import hashlib
from collections.abc import Iterator, Sequence
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
BATCH_COLUMNS = 5_000  # of the strips that are read at once, together; more is not quicker
ALIKE = 1.3  # the widest of a batch is at most so much wider than the narrowest: the rest is padding

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


def read(strips: Sequence[Pixels]) -> list[list[Letter]]:
    """The letters of each strip of ROWS rows, spaces among them, from left to right."""
    found: dict[int, list[Letter]] = {}
    for batch in _batches([strip.shape[1] for strip in strips]):
        columns = max(strips[index].shape[1] for index in batch)
        wide = -(-columns // STEP) * STEP
        given = np.stack([_padded(strips[index], wide) for index in batch])
        (answers,) = _session().run(None, {"strip": (given[:, None] / np.float32(255) - 0.5) * 2})
        for index, answer in zip(batch, answers, strict=True):
            steps = -(-strips[index].shape[1] // STEP)
            found[index] = _letters(answer[:steps])
    return [found[index] for index in range(len(strips))]


def _batches(widths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of strips that are about as wide."""
    batch: list[int] = []
    for index in sorted(range(len(widths)), key=lambda each: widths[each]):
        if batch and (
            widths[index] * (len(batch) + 1) > BATCH_COLUMNS or widths[index] > ALIKE * widths[batch[0]]
        ):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _padded(strip: Pixels, columns: int) -> npt.NDArray[np.float32]:
    paper = float(np.median(strip[:, -3:]))
    wide = np.full((ROWS, columns), paper, np.float32)
    wide[:, : strip.shape[1]] = strip
    return wide


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
