"""Jobs that run while we deploy go on with the new code: every stored history replays."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Interceptor, Replayer
from temporalio.workflow import NondeterminismError

from clients import tracing
from tests.replay.capture import HISTORIES
from tests.replay.edited import EncodeWithAnotherFirstStep, RunJobAfterAPause
from workflows.ai import RunAiJob
from workflows.generic import RunJob
from workflows.messaging.compare import CompareDay
from workflows.messaging.digest import SendDigest
from workflows.messaging.send import SendMessages
from workflows.ops.reconcile import Reconcile
from workflows.ops.sweep import Sweep
from workflows.video.delete import DeleteVideo
from workflows.video.encode import EncodeVideo
from workflows.video.retire import RetireVersion
from workflows.video.trim import TrimVideo

WORKFLOWS = [
    EncodeVideo,
    DeleteVideo,
    TrimVideo,
    RetireVersion,
    RunJob,
    RunAiJob,
    Reconcile,
    SendMessages,
    SendDigest,
    CompareDay,
    Sweep,
]
FILES = sorted(HISTORIES.glob("*/*.json"))
ENCODES = [file for file in FILES if file.stem.startswith("video.encode")]


def label(file: Path) -> str:
    return f"{file.parent.name} {file.stem}"


def stored(file: Path) -> WorkflowHistory:
    history = json.loads(file.read_text())
    return WorkflowHistory.from_json(history.pop("workflowId"), history)


async def replay(file: Path, *workflows: type, interceptors: Sequence[Interceptor] = ()) -> None:
    replayer = Replayer(
        workflows=list(workflows), data_converter=pydantic_data_converter, interceptors=interceptors
    )
    await replayer.replay_workflow(stored(file))


def test_there_is_a_history_of_every_workflow() -> None:
    names = {file.stem.split("-")[0] for file in FILES}
    assert names == {workflow._Definition.must_from_class(each).name for each in WORKFLOWS}


@pytest.mark.parametrize("file", FILES, ids=label)
async def test_history_replays(file: Path) -> None:
    await replay(file, *WORKFLOWS)


async def test_histories_replay_for_workers_that_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were written by workers that did not, and go on with some that do."""
    monkeypatch.setattr(tracing, "_tracer", None)
    exporter = InMemorySpanExporter()
    tracing.begin_with("test", exporter)
    one_of_each = {file.stem.split("-")[0]: file for file in FILES}
    for file in one_of_each.values():
        await replay(file, *WORKFLOWS, interceptors=tracing.interceptors())


@pytest.mark.parametrize("file", ENCODES, ids=label)
async def test_an_edit_that_breaks_running_encodes_is_caught(file: Path) -> None:
    with pytest.raises(NondeterminismError):
        await replay(file, EncodeWithAnotherFirstStep)


async def test_an_edit_that_breaks_waiting_jobs_is_caught() -> None:
    (file,) = [each for each in FILES if each.stem == "job.run-cancelled"]
    with pytest.raises(NondeterminismError):
        await replay(file, RunJobAfterAPause)


_OF_PEOPLE_OR_MACHINES = re.compile(
    r"\d+@\S"  # a process of a host
    r"|(?<![\w/])/(home|root|tmp|work|Users|var|usr)/"
    r"|01[016789]-?\d{7,8}"  # a phone number
    r"|made-up|example\.com"  # of the bodies sent
)


def texts(node: Any) -> Iterator[str]:
    """Every text in a history, payloads decoded."""
    if isinstance(node, list):
        for each in node:
            yield from texts(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield base64.b64decode(value).decode(errors="replace") if key == "data" else ""
            yield from texts(value)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("file", FILES, ids=label)
def test_history_tells_nothing_of_people_and_machines(file: Path) -> None:
    told = list(texts(json.loads(file.read_text())))
    assert any("video" in text or "ops" in text or "messag" in text or "ai" in text for text in told)
    for text in told:
        assert not _OF_PEOPLE_OR_MACHINES.search(text), text
