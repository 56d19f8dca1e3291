"""The job `embedding`: a vector for each text."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from activities.ai.inference.asking import Inferred, Report, as_json, model_errors, usable
from activities.ai.sandbox.task import BadInput
from clients.inference import Models, UnusableAnswer
from contracts.errors import TEXT_TOO_LONG, TOO_MANY_TEXTS

BATCH = 64
MAX_TEXTS = 50_000


async def embedding(texts: Sequence[str], *, models: Models, scratch: Path, on_progress: Report) -> Inferred:
    """`embeddings.json`: the vectors in the order of the texts, and the model they are of. Vectors of two
    models cannot be compared. Raises BadInput, ApplicationError MODEL_*."""
    _check(texts, models.longest_text)
    file = scratch / "embeddings.json"
    # By batches: all vectors are too much for the worker's memory.
    with model_errors(), file.open("wb") as out:
        summary: dict[str, Any] = {"texts": len(texts), "model": models.name("embedding")}
        for start in range(0, len(texts), BATCH):
            vectors = await usable(partial(models.embed, texts[start : start + BATCH]))
            dimensions = len(vectors[0])
            if not start:
                summary |= {"dimensions": dimensions}
                out.write(as_json(summary)[:-1] + b',"vectors":[')
            elif dimensions != summary["dimensions"]:
                raise UnusableAnswer("two batches have vectors of different lengths")
            out.write(b"," * bool(start) + as_json(vectors)[1:-1])
            on_progress(min(start + BATCH, len(texts)) / len(texts))
        out.write(b"]}")
    return Inferred(summary, {file.name: file})


def _check(texts: Sequence[str], longest: int | None) -> None:
    """Raises BadInput."""
    if len(texts) > MAX_TEXTS:
        raise BadInput(TOO_MANY_TEXTS, {"texts": len(texts), "allowed": MAX_TEXTS})
    for number, text in enumerate(texts, 1):
        if longest and len(text) > longest:
            raise BadInput(TEXT_TOO_LONG, {"text": number, "characters": len(text), "allowed": longest})
