"""The job `embedding`: a vector for each text."""

from collections.abc import Sequence
from functools import partial

from activities.ai.inferring.asking import Inferred, Report, as_json, asked, usable
from clients.inference import Models, UnusableAnswer

BATCH = 64


async def embedding(texts: Sequence[str], *, models: Models, on_progress: Report) -> Inferred:
    """`embeddings.json`: the vectors in the order of the texts, and the model they are of. Vectors of two
    models cannot be compared. Raises ApplicationError MODEL_*."""
    vectors: list[list[float]] = []
    with asked():
        model = models.name("embedding")
        for start in range(0, len(texts), BATCH):
            vectors += await usable(partial(models.embed, texts[start : start + BATCH]))
            on_progress(len(vectors) / len(texts))
        if len({len(vector) for vector in vectors}) != 1:
            raise UnusableAnswer("two batches have vectors of different lengths")
    summary = {"texts": len(texts), "dimensions": len(vectors[0]), "model": model}
    return Inferred(summary, {"embeddings.json": as_json(summary | {"vectors": vectors})})
