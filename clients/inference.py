"""Model servers over HTTP: OpenAI's protocol (https://platform.openai.com/docs/api-reference), which vLLM,
llama.cpp, TEI, speaches and others speak, and KServe v2 (Triton) for embeddings.

Addresses come from the settings, never from a payload, and no redirect is followed. No call is repeated here;
who calls decides. An error's type says whether asking again may help, its text holds nothing of a payload.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
from pydantic import Field, FiniteFloat, ValidationError
from pydantic_core import from_json

from clients import metrics
from clients.settings import Settings
from contracts.ai_jobs import ModelKind
from contracts.base import Message

Kind = ModelKind
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 32 * 2**20  # 256 texts of 4,096 dimensions have 20 MB
CHAT_BYTES = 4 * 2**20
LONGEST_WAIT = 3600.0  # seconds that a server may send us away
REFUSAL_BYTES = 2**20
OF_THE_REQUEST = frozenset({400, 422})  # where the server says more; else it may be anybody in between

M = TypeVar("M", bound=Message)


class ModelError(Exception):
    """A model did not answer."""


class NotConfigured(ModelError):
    """The settings name no server for this kind of model."""


class Busy(ModelError):
    """429 or 503: nothing was done; ask again after `retry_after` seconds, if the server said when."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.retry_after = retry_after


class ModelUnavailable(ModelError):
    """No connection, a 5xx, a timeout, an answer that was cut, or one that tells of the server and not of the
    request (a wrong key or path, a proxy's page): worth another try."""


class RefusedByModel(ModelError):
    """What was asked for is too large, or not valid: the same request will be refused again."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class UnusableAnswer(ModelError):
    """A whole answer that is not what was asked for: other JSON, vectors missing, too long, stopped early."""


class NotOfProtocol(UnusableAnswer):
    """JSON of another shape: of this request, or of a server that is another than it should be."""


class Word(Message):
    """Seconds from the start of the sound that was sent."""

    word: str
    start: FiniteFloat = Field(ge=0)
    end: FiniteFloat = Field(ge=0)


class Segment(Message):
    """Seconds likewise; the two measures are Whisper's own, 0 where the server has none."""

    text: str
    start: FiniteFloat = Field(ge=0)
    end: FiniteFloat = Field(ge=0)
    no_speech_prob: float = 0.0
    avg_logprob: float = 0.0


class Transcript(Message):
    """What was said; `words` only where the server times words."""

    segments: list[Segment]
    words: list[Word] | None = None


class _Embedding(Message):
    index: int
    embedding: list[FiniteFloat] = Field(min_length=1)


class _Embeddings(Message):
    data: list[_Embedding]


class _Delta(Message):
    content: str | None = None


class _Choice(Message):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Event(Message):
    choices: tuple[_Choice, ...] = ()
    error: Any = None


class _Input(Message):
    name: str
    shape: list[int] = Field(min_length=1)


class _Metadata(Message):
    inputs: list[_Input] = Field(min_length=1)


class _Tensor(Message):
    shape: list[int]
    data: list[FiniteFloat]


class _Inferred(Message):
    outputs: list[_Tensor] = Field(min_length=1)


@dataclass(frozen=True)
class _Server:
    url: str
    name: str


class Models:
    """The configured model servers. Every call raises ModelError's kinds. Results of `unproven` kinds are for
    review, always. A text to `embed` has `longest_text` characters at most; without one the server says."""

    unproven: frozenset[Kind] = frozenset()
    longest_text: int | None = None

    def __init__(self, settings: Settings) -> None:
        self._servers: dict[Kind, _Server] = {}
        kinds: tuple[Kind, ...] = ("chat", "embedding", "transcription", "handwriting")
        for kind in kinds:
            url, name = getattr(settings, f"model_{kind}_url"), getattr(settings, f"model_{kind}_name")
            if url and name:
                self._servers[kind] = _Server(url.rstrip("/").removesuffix("/v1"), name)
        self._kserve = settings.model_embedding_protocol == "kserve"
        self._within = settings.model_total_seconds
        key = settings.model_api_key
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.model_read_seconds, connect=CONNECT_SECONDS),
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    def name(self, kind: Kind) -> str:
        """The model's name, kept in results. Raises NotConfigured."""
        return self._server(kind).name

    def has(self, kind: Kind) -> bool:
        return kind in self._servers

    async def chat(
        self,
        kind: Literal["chat", "handwriting"],
        messages: Sequence[Mapping[str, Any]],
        schema: Mapping[str, Any],
        *,
        temperature: float,
        on_text: Callable[[int], None] = lambda _: None,
    ) -> str:
        """The model's whole answer, JSON by `schema` if the model keeps to it. `on_text` gets the characters
        received so far."""
        server = self._server(kind)
        body = {
            "model": server.name,
            "messages": list(messages),
            "stream": True,
            "temperature": temperature,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)},
            },
        }
        text, finished = "", None
        async with self._asked(f"{server.url}/v1/chat/completions", json=body) as answer:
            async for event in _events(answer):
                if event.error is not None:
                    raise ModelUnavailable("the model reported an error while it answered")
                for choice in event.choices[:1]:
                    text += choice.delta.content or ""
                    finished = choice.finish_reason or finished
                on_text(len(text))
        if finished != "stop":
            raise UnusableAnswer("the model stopped early")
        return text

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in order and all of the same length."""
        vectors = await (self._embed_kserve(texts) if self._kserve else self._embed_openai(texts))
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) != 1:
            raise UnusableAnswer("vectors are missing, or of different lengths")
        return vectors

    async def transcribe(self, sound: Path, language: str) -> Transcript:
        """What is said in a sound file (FLAC), with times."""
        server = self._server("transcription")
        fields = {
            "model": server.name,
            "language": language,
            "response_format": "verbose_json",
            "temperature": "0",
            "timestamp_granularities[]": ["segment", "word"],
        }
        files = {"file": (sound.name, await asyncio.to_thread(sound.read_bytes), "audio/flac")}
        url = f"{server.url}/v1/audio/transcriptions"
        async with self._asked(url, data=fields, files=files) as answer:
            return await _read(answer, Transcript)

    async def _embed_openai(self, texts: Sequence[str]) -> list[list[float]]:
        server = self._server("embedding")
        body = {"model": server.name, "input": list(texts), "encoding_format": "float"}
        async with self._asked(f"{server.url}/v1/embeddings", json=body) as answer:
            found = await _read(answer, _Embeddings)
        found.data.sort(key=lambda each: each.index)
        if [each.index for each in found.data] != list(range(len(texts))):
            raise UnusableAnswer("vectors are missing")
        return [each.embedding for each in found.data]

    async def _embed_kserve(self, texts: Sequence[str]) -> list[list[float]]:
        """The model takes texts as its first input and gives vectors as its first output, as Triton's
        ensembles of a tokenizer and an encoder do."""
        server = self._server("embedding")
        url = f"{server.url}/v2/models/{server.name}"
        async with self._asked(url, method="GET") as answer:
            (first, *_) = (await _read(answer, _Metadata)).inputs
        shape = [len(texts)] + [1] * (len(first.shape) - 1)
        tensor = {"name": first.name, "datatype": "BYTES", "shape": shape, "data": list(texts)}
        async with self._asked(f"{url}/infer", json={"inputs": [tensor]}) as answer:
            output = (await _read(answer, _Inferred)).outputs[0]
        size = output.shape[-1] if len(output.shape) > 1 else 0
        if size < 1 or size * len(texts) != len(output.data):
            raise UnusableAnswer("the tensor's data do not fill its shape")
        return [output.data[start : start + size] for start in range(0, len(output.data), size)]

    def _server(self, kind: Kind) -> _Server:
        try:
            return self._servers[kind]
        except KeyError:
            raise NotConfigured(f"MODEL_{kind.upper()}_URL is not set") from None

    @asynccontextmanager
    async def _asked(self, url: str, method: str = "POST", **request: Any) -> AsyncIterator[httpx.Response]:
        """The answer of success to one request, its body still to be read inside the block."""
        outcome = "done"
        try:
            async with (
                asyncio.timeout(self._within),
                self._http.stream(method, url, **request) as answer,
            ):
                if not answer.is_success:
                    raise await _refusal(answer)
                yield answer
        except (httpx.HTTPError, TimeoutError) as error:
            outcome = ModelUnavailable.__name__
            raise ModelUnavailable(type(error).__name__) from None
        except ModelError as error:
            outcome = type(error).__name__
            raise
        finally:
            metrics.MODELS.labels(outcome).inc()


async def _refusal(answer: httpx.Response) -> ModelError:
    status = answer.status_code
    if status in (429, 503):
        return Busy(status, _retry_after(answer.headers.get("Retry-After", "")))
    if status == 413 or (status in OF_THE_REQUEST and await _is_json(answer)):
        return RefusedByModel(status)
    return ModelUnavailable(f"HTTP {status}")


async def _is_json(answer: httpx.Response) -> bool:
    try:
        from_json(b"".join([chunk async for chunk in _bounded(answer, REFUSAL_BYTES)]))
    except (ValueError, UnusableAnswer):
        return False
    return True


def _retry_after(text: str) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3)."""
    if text.isdecimal():
        return min(float(text), LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)


async def _read(answer: httpx.Response, model: type[M]) -> M:
    content = b"".join([chunk async for chunk in _bounded(answer, ANSWER_BYTES)])
    return _as(model, content)


def _as(model: type[M], content: bytes) -> M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise ModelUnavailable("the answer is no JSON") from None
        raise NotOfProtocol("the answer is not of the protocol") from None


async def _events(answer: httpx.Response) -> AsyncIterator[_Event]:
    """Server-sent events up to `[DONE]`. Raises ModelUnavailable when the stream ends before."""
    rest = b""
    async for chunk in _bounded(answer, CHAT_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, data = line.partition(b":")
            if name != b"data":
                continue
            if data.strip() == b"[DONE]":
                return
            yield _as(_Event, data)
    raise ModelUnavailable("the answer was cut")


async def _bounded(answer: httpx.Response, limit: int) -> AsyncIterator[bytes]:
    done = 0
    async for chunk in answer.aiter_bytes():
        done += len(chunk)
        if done > limit:
            raise UnusableAnswer("the answer is too long")
        yield chunk
