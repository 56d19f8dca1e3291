"""What model servers may answer, and what becomes of it: against servers that speak the protocols."""

import asyncio
import email.message
import email.parser
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.ai.inference.asking import TRIES_OF_A_SERVER, model_errors
from clients import inference
from clients.inference import (
    Busy,
    ModelError,
    Models,
    ModelUnavailable,
    NotConfigured,
    NotOfProtocol,
    RefusedByModel,
    UnusableAnswer,
)
from devstack.ports import LOOPBACK
from tests.integration.model_server import DONE, ERROR, at, event, stream
from tests.integration.serving import bare_settings, serving, talking
from tests.lab import PATIENCE

SCHEMA = {"type": "object"}
CANARY = "canary-학생의 글"
MESSAGES = [{"role": "user", "content": CANARY}]


async def chat(models: Models, on_text: Callable[[int], None] = lambda _: None) -> str:
    return await models.chat("chat", MESSAGES, SCHEMA, temperature=0.5, on_text=on_text)


async def test_an_answer_arrives_in_pieces() -> None:
    """Cut anywhere, inside letters too; what else servers send is ignored."""
    whole = b": a comment\r\n\r\n" + b'data: {"choices": []}\n\n' + event("이차") + event("방정식")
    whole += event(finish="stop") + b'data: {"choices": [], "usage": {"total_tokens": 5}}\n\n' + DONE
    pieces = [whole[start : start + 7] for start in range(0, len(whole), 7)]
    seen: list[int] = []
    async with serving(lambda _, __: stream(pieces)) as (desk, port):
        models = Models(at(port, model_chat_url=f"http://{LOOPBACK}:{port}/v1/"))
        assert await chat(models, seen.append) == "이차방정식"
        await models.aclose()
    assert seen == sorted(seen) and {2, 5} <= set(seen)
    ((request, body),) = desk.asked
    asked_for = json.loads(body)
    assert request.url.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer canary-key"
    assert (asked_for["model"], asked_for["messages"]) == ("the-chat", MESSAGES)
    assert asked_for["stream"] and asked_for["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.fixture
def headers(given: dict[str, str] | int) -> dict[str, str]:
    """Retry-After as given, or as the date so many seconds from now."""
    if isinstance(given, dict):
        return given
    return {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=given), usegmt=True)}


@pytest.mark.parametrize(
    ("status", "given", "low", "high"),
    [
        (429, {"Retry-After": "7"}, 7, 7),
        (503, {"Retry-After": "120"}, 120, 120),
        (503, 90, 30, 90),
        (429, -90, 0, 0),
        (429, {"Retry-After": "99999999"}, 3600, 3600),
        (429, {}, None, None),
        (503, {"Retry-After": "soon"}, None, None),
    ],
)
async def test_a_busy_server_says_when(
    status: int, headers: dict[str, str], low: float | None, high: float | None
) -> None:
    async with serving(lambda _, __: Response(CANARY, status, headers)) as (_, port):
        models = Models(at(port))
        for ask in (chat(models), models.embed(["x"])):
            with pytest.raises(Busy) as busy:
                await ask
            wait = busy.value.retry_after
            assert wait is None if low is None else wait is not None and low <= wait <= (high or 0)
            assert "canary" not in str(busy.value)
        await models.aclose()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (413, RefusedByModel),
        (400, ModelUnavailable),  # by nobody who speaks the protocol
        (401, ModelUnavailable),
        (403, ModelUnavailable),
        (404, ModelUnavailable),
        (405, ModelUnavailable),
        (421, ModelUnavailable),
        (307, ModelUnavailable),
        (408, ModelUnavailable),
        (500, ModelUnavailable),
        (502, ModelUnavailable),
        (504, ModelUnavailable),
    ],
)
async def test_what_a_status_means(status: int, error: type[ModelError]) -> None:
    elsewhere = {"Location": f"http://{LOOPBACK}:1/"}
    async with serving(lambda _, __: Response(CANARY, status, elsewhere)) as (desk, port):
        models = Models(at(port))
        for ask in (chat(models), models.embed(["x"])):
            with pytest.raises(error, match=str(status)) as refused:
                await ask
            assert "canary" not in str(refused.value)
        await models.aclose()
    assert len(desk.asked) == 2, "no redirect is followed and nothing asked twice"


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_says_why_refuses_the_request(status: int) -> None:
    said = {"error": {"message": CANARY, "type": "BadRequestError"}}
    async with serving(lambda _, __: JSONResponse(said, status)) as (_, port):
        models = Models(at(port))
        for ask in (chat(models), models.embed(["x"])):
            with pytest.raises(RefusedByModel, match=str(status)) as refused:
                await ask
            assert "canary" not in str(refused.value)
        await models.aclose()


async def test_a_page_is_no_answer(tmp_path: Path) -> None:
    sound = tmp_path / "sound.flac"
    sound.write_bytes(b"x")
    async with serving(lambda _, __: Response("<html>sign in</html>", 200)) as (_, port):
        models, tensors = Models(at(port)), Models(at(port, model_embedding_protocol="kserve"))
        asks = [chat(models), models.embed(["x"]), tensors.embed(["x"]), models.transcribe(sound, "ko")]
        for ask in asks:
            with pytest.raises(ModelUnavailable):
                await ask
        await models.aclose()
        await tensors.aclose()


def test_another_shape_ends_a_job_when_it_stays() -> None:
    def ask() -> None:
        with model_errors():
            raise NotOfProtocol("x")

    environment, ends = ActivityEnvironment(), []
    for attempt in (1, TRIES_OF_A_SERVER - 1, TRIES_OF_A_SERVER):
        environment.info = replace(environment.info, attempt=attempt)
        with pytest.raises(ApplicationError) as raised:
            environment.run(ask)
        ends.append(raised.value.non_retryable)
    assert ends == [False, False, True]


def _broken() -> Iterable[bytes]:
    yield event("half")
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        (lambda: [event("half")], ModelUnavailable),  # ends like any other answer
        (lambda: [event("half"), event(finish="stop")], ModelUnavailable),
        (_broken, ModelUnavailable),
        (lambda: [event("half"), ERROR, event(finish="stop"), DONE], ModelUnavailable),
        (lambda: [event("half"), DONE], UnusableAnswer),
        (lambda: [event("half"), event(finish="length"), DONE], UnusableAnswer),
        (lambda: [event("half"), event(finish="content_filter"), DONE], UnusableAnswer),
        (lambda: [b"data: <html>\n\n", DONE], ModelUnavailable),
        (lambda: [b'data: {"choices": "none"}\n\n', DONE], NotOfProtocol),
        (lambda: (event("x" * 100_000) for _ in range(100)), UnusableAnswer),
        (lambda: (b"x" * 100_000 for _ in range(100)), UnusableAnswer),
    ],
)
async def test_half_an_answer_is_none(parts: Callable[[], Iterable[bytes]], error: type[ModelError]) -> None:
    async with serving(lambda _, __: stream(parts())) as (_, port):
        models = Models(at(port))
        with pytest.raises(error):
            await chat(models)
        await models.aclose()


async def test_slow_servers_are_given_up() -> None:
    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + event("x"))
        await asyncio.Event().wait()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(event("x"))
            await writer.drain()
            await asyncio.sleep(0.05)

    for talk, limit in ((mute, {"model_read_seconds": 0.3}), (drip, {"model_total_seconds": 0.5})):
        async with talking(talk) as port, asyncio.timeout(PATIENCE):
            models = Models(at(port, **limit))
            with pytest.raises(ModelUnavailable, match="Timeout"):
                await chat(models)
            await models.aclose()
    models = Models(at(port))
    with pytest.raises(ModelUnavailable, match="ConnectError"):  # nobody listens there any more
        await chat(models)
    await models.aclose()


async def test_a_stopped_job_asks_no_longer() -> None:
    """A cancelled call closes its connection: the server can stop computing."""
    asked, closed = asyncio.Event(), asyncio.Event()

    async def wait_for_end(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        while await reader.read(65536):
            pass
        closed.set()

    async with talking(wait_for_end) as port:
        models = Models(at(port))
        asking = asyncio.create_task(chat(models))
        await asyncio.wait_for(asked.wait(), PATIENCE)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(closed.wait(), PATIENCE)
        await models.aclose()


async def test_vectors_are_put_in_order() -> None:
    shuffled = {"data": [{"index": 1, "embedding": [3, 4.5]}, {"index": 0, "embedding": [1, 2]}]}
    async with serving(lambda _, __: JSONResponse(shuffled)) as (desk, port):
        models = Models(at(port))
        assert await models.embed(["하나", "둘"]) == [[1.0, 2.0], [3.0, 4.5]]
        await models.aclose()
    assert json.loads(desk.asked[0][1])["input"] == ["하나", "둘"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"data": []}',
        b'{"data": [{"index": 0, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}',
        b'{"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": [NaN]}, {"index": 1, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": [1e999]}, {"index": 1, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": "AAAA"}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embed',
    ],
)
async def test_other_vectors_are_none(answer: bytes) -> None:
    async with serving(lambda _, __: Response(answer, media_type="application/json")) as (_, port):
        models = Models(at(port))
        whole = answer.endswith((b"}", b"[]"))
        with pytest.raises(UnusableAnswer if whole else ModelUnavailable):
            await models.embed([CANARY, "둘"])
        await models.aclose()


async def test_an_endless_answer_does_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "ANSWER_BYTES", 1_000_000)
    sent = 0

    def endless() -> Iterable[bytes]:
        nonlocal sent
        while sent < 1_000_000_000:
            sent += 65536
            yield b" " * 65536

    async with serving(lambda _, __: stream(endless())) as (_, port):
        models = Models(at(port))
        with pytest.raises(UnusableAnswer, match="too long"):
            await models.embed(["x"])
        await models.aclose()
    assert sent < 100_000_000


@pytest.mark.parametrize(
    ("shape", "output", "expected"),
    [
        ([-1, 1], {"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}, [[1, 2, 3], [4, 5, 6]]),
        ([-1], {"shape": [2, 1], "data": [1, 2]}, [[1], [2]]),
        ([-1], {"shape": [2, 3], "data": [1, 2, 3, 4, 5]}, None),
        ([-1], {"shape": [3, 2], "data": [1, 2, 3, 4, 5, 6]}, None),
        ([-1], {"shape": [6], "data": [1, 2, 3, 4, 5, 6]}, None),
        ([-1], {"shape": [2, 0], "data": []}, None),
        ([-1], {"shape": [2, 1], "data": ["a", "b"]}, None),
    ],
)
async def test_vectors_of_triton(shape: list[int], output: dict[str, Any], expected: Any) -> None:
    def reply(request: Request, body: bytes) -> Response:
        if request.url.path == "/v2/models/the-embedding":
            return JSONResponse(
                {"name": "x", "inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": shape}]}
            )
        assert request.url.path == "/v2/models/the-embedding/infer"
        tensor = {"name": "TEXT", "datatype": "BYTES", "shape": [2, *shape[1:]], "data": ["하나", "둘"]}
        assert json.loads(body) == {"inputs": [tensor]}
        return JSONResponse({"outputs": [{"name": "VECTOR", "datatype": "FP32"} | output]})

    async with serving(reply) as (_, port):
        models = Models(at(port, model_embedding_protocol="kserve"))
        if expected:
            assert await models.embed(["하나", "둘"]) == expected
        else:
            with pytest.raises(UnusableAnswer):
                await models.embed(["하나", "둘"])
        await models.aclose()


async def test_sound_is_sent_whole(tmp_path: Any) -> None:
    sound = tmp_path / "piece.flac"
    sound.write_bytes(bytes(range(256)) * 100)
    segment = {"id": 0, "text": " 안녕", "start": 0, "end": 1.5, "no_speech_prob": 0.1, "avg_logprob": -0.2}
    answer: dict[str, Any] = {"text": "안녕", "segments": [segment]}
    async with serving(lambda _, __: JSONResponse(answer)) as (desk, port):
        models = Models(at(port))
        heard = await models.transcribe(sound, "ko")
        assert [(each.text, each.start, each.end) for each in heard.segments] == [(" 안녕", 0, 1.5)]
        assert heard.words is None
        answer |= {"words": [{"word": "안녕", "start": 0.1, "end": 1.2}]}
        assert (await models.transcribe(sound, "ko")).words
        for bad in ({"text": "only"}, {"segments": [segment | {"start": -1}]}, {"segments": [{"text": "x"}]}):
            answer.clear()
            answer |= bad
            with pytest.raises(UnusableAnswer):
                await models.transcribe(sound, "ko")
        await models.aclose()
    request, body = desk.asked[0]
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = email.parser.BytesParser().parsebytes(head + body).get_payload()
    assert isinstance(parts, list)
    fields: dict[str, list[bytes]] = {}
    for part in parts:
        assert isinstance(part, email.message.Message)
        name = str(part.get_param("name", header="content-disposition"))
        fields.setdefault(name, []).append(part.get_payload(decode=True))  # type: ignore[arg-type]
    assert fields.pop("file") == [sound.read_bytes()]
    assert fields["model"] == [b"the-transcription"] and fields["language"] == [b"ko"]
    assert fields["response_format"] == [b"verbose_json"]
    assert fields["timestamp_granularities[]"] == [b"segment", b"word"]


async def test_a_kind_without_a_server() -> None:
    models = Models(bare_settings())
    for ask in (chat(models), models.embed(["x"])):
        with pytest.raises(NotConfigured):
            await ask
    assert not models.has("handwriting")
    await models.aclose()


@pytest.mark.parametrize(
    "wrong",
    [
        {"model_chat_url": "http://models"},
        {"model_chat_name": "x"},
        {"model_chat_url": "models:8000", "model_chat_name": "x"},
        {"model_embedding_protocol": "grpc"},
    ],
)
def test_settings_that_contradict_each_other(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"(?i)model_"):
        bare_settings(**wrong)


@pytest.mark.parametrize(
    ("error", "code", "final", "wait"),
    [
        (NotConfigured("x"), "MODEL_NOT_CONFIGURED", False, 60),
        (Busy(429, 7.0), "MODEL_UNAVAILABLE", False, 7),
        (Busy(503, None), "MODEL_UNAVAILABLE", False, None),
        (ModelUnavailable("x"), "MODEL_UNAVAILABLE", False, None),
        (RefusedByModel(400), "MODEL_REFUSED", True, None),
        (UnusableAnswer("x"), "MODEL_ANSWER_UNUSABLE", True, None),
    ],
)
def test_what_temporal_makes_of_it(error: ModelError, code: str, final: bool, wait: float | None) -> None:
    with pytest.raises(ApplicationError) as raised, model_errors():
        raise error
    assert (raised.value.type, raised.value.non_retryable) == (code, final)
    assert raised.value.next_retry_delay == (timedelta(seconds=wait) if wait else None)
    assert raised.value.__cause__ is None
