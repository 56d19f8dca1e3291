"""What jobs that ask a model have in common: their result, what errors mean, and finished parts."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ai.sandbox.task import BadInput
from activities.host.threads import in_thread
from activities.host.trouble import HostTrouble
from activities.host.turns import Turn
from activities.video.ffmpeg import FfmpegFailed, FfmpegTimedOut
from activities.video.probe import MediaError
from clients.inference import (
    Busy,
    ModelError,
    ModelUnavailable,
    NotConfigured,
    NotOfProtocol,
    RefusedByModel,
    UnusableAnswer,
)
from clients.objects import ObjectMissing, Objects
from contracts.errors import (
    FILE_DAMAGED,
    MODEL_ANSWER_UNUSABLE,
    MODEL_NOT_CONFIGURED,
    MODEL_REFUSED,
    MODEL_UNAVAILABLE,
    REASONS,
    TASK_TIMED_OUT,
    ErrorType,
)
from contracts.jobs import JobState

log = logging.getLogger(__name__)

TRIES = 3  # a model that answers nonsense once may not do so again
TRIES_OF_A_SERVER = 6  # half a minute: one that is no model server just now may be one again
NOT_CONFIGURED_DELAY = timedelta(minutes=1)  # somebody has to act
MACHINE_MADE = "made by a machine: somebody has to read it"

T = TypeVar("T")
A = TypeVar("A", bound="Answer")
Report = Callable[[float], None]
"""Gets what is done of a job, 0 to 1."""


@dataclass(frozen=True)
class Inferred:
    """The end of a job: DONE, or REVIEW_REQUIRED with the reasons. `files` are contents or local files by
    name; `summary` is small and holds nothing about a person."""

    summary: dict[str, Any]
    files: dict[str, bytes | Path] = field(default_factory=dict)
    review: tuple[str, ...] = ()

    @property
    def state(self) -> JobState:
        return JobState.REVIEW_REQUIRED if self.review else JobState.DONE

    def store(self, folder: Path) -> tuple[str, ...]:
        """Write the files to a folder; returns their names."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        return tuple(self.files)


class Answer(BaseModel):
    """What a chat model is asked to fill in. Its schema has no limits of length and the like: servers refuse
    some of them, so those are looked at afterwards."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Units(Protocol):
    """Finished parts of a job: a retry on another worker does not ask for them again."""

    async def get(self, name: str) -> dict[str, Any] | None: ...

    async def put(self, name: str, result: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class StoredUnits:
    """Objects below `prefix` (`activities.ai.storing.work_prefix`), one a part. Raises `Turn.ended` when one
    is kept and the turn is over."""

    objects: Objects
    prefix: str
    turn: Turn = field(default_factory=Turn)

    async def get(self, name: str) -> dict[str, Any] | None:
        self.turn.prepared()
        try:
            found: dict[str, Any] = json.loads(await in_thread(self.objects.get, self._key(name)))
        except ObjectMissing:
            return None
        return found

    async def put(self, name: str, result: Mapping[str, Any]) -> None:
        await in_thread(self.objects.put, self._key(name), as_json(result), "application/json")
        if self.turn.over:
            raise self.turn.ended()

    def _key(self, name: str) -> str:
        return f"{self.prefix}units/{name}.json"


async def once(units: Units, name: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """The part's result, found finished or computed and kept."""
    found = await units.get(name)
    if found is None:
        found = await work()
        await units.put(name, found)
    return found


async def usable(ask: Callable[[], Awaitable[T]]) -> T:
    """The first usable answer. Raises UnusableAnswer when there is none in TRIES."""
    for _ in range(TRIES - 1):
        try:
            return await ask()
        except UnusableAnswer as error:
            log.warning("an answer of a model is not usable: %s", error)
    return await ask()


def filled_in(model: type[A], text: str) -> A:
    """Raises UnusableAnswer for what is not `model` in JSON."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        raise UnusableAnswer("the answer does not keep to its schema") from None


@contextmanager
def model_errors() -> Iterator[None]:
    """Around calls of models: their errors become those that Temporal retries when that may help.

    A model that nobody has configured is waited for, as is one that is away; a failure is never a result.
    """
    try:
        yield
    except NotConfigured:
        raise _error(MODEL_NOT_CONFIGURED, wait=NOT_CONFIGURED_DELAY) from None
    except Busy as error:
        wait = timedelta(seconds=error.retry_after) if error.retry_after else None
        raise _error(MODEL_UNAVAILABLE, error, wait=wait) from None
    except ModelUnavailable as error:
        raise _error(MODEL_UNAVAILABLE, error) from None
    except RefusedByModel as error:
        raise _error(MODEL_REFUSED, error, final=True) from None
    except UnusableAnswer as error:
        final = not isinstance(error, NotOfProtocol) or _tried()
        raise _error(MODEL_ANSWER_UNUSABLE, error, final=final) from None


def _tried() -> bool:
    return activity.in_activity() and activity.info().attempt >= TRIES_OF_A_SERVER


@contextmanager
def film_errors() -> Iterator[None]:
    """Around ffmpeg on the job's file: what is the file's fault becomes BadInput, the rest is tried again."""
    try:
        yield
    except MediaError as error:
        raise BadInput(error.code) from None
    except FfmpegTimedOut:
        raise BadInput(TASK_TIMED_OUT) from None
    except HostTrouble as error:
        raise ApplicationError(str(error), type=error.kind) from None
    except FfmpegFailed as error:
        if error.code > 0:
            raise BadInput(FILE_DAMAGED) from None
        raise ApplicationError("ffmpeg was killed", type=ErrorType.FFMPEG_KILLED) from None


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _error(
    code: str, error: ModelError | None = None, final: bool = False, wait: timedelta | None = None
) -> ApplicationError:
    text = f"{REASONS[code].en} ({error})" if error else REASONS[code].en
    return ApplicationError(text, type=code, non_retryable=final, next_retry_delay=wait)
