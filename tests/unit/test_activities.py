"""What workflows may ask for is worked on, where they ask for it, by one method of the same types."""

import asyncio
from collections import Counter
from datetime import timedelta
from inspect import ismethod
from types import ModuleType
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from temporalio import activity

from activities.host.heartbeat import GIVE_UP, Heartbeats
from clients.settings import Settings
from contracts.activities import Retry, messages
from contracts.activities.reference import HEARTBEAT
from contracts.names import TaskQueue, queue_of_build
from contracts.scaling import BESIDE, QUEUES, Kind
from tests.references import REFERENCES
from workers import ai as ai_worker
from workers import messaging as messaging_worker
from workers import ops as ops_worker
from workers import video as video_worker
from workers.measuring import MeasuringInterceptor
from workers.refusing import RefusingInterceptor
from workers.restoring import RestoringInterceptor
from workflows.policies import POLICIES

HOST = ("gc", "find_tools", "SourceCache", "Room", "_check_host", "own_scratch", "slots_with_room")
SETTINGS = MagicMock(
    ai_premium=True,
    shutdown_grace_seconds=1,
    upload_abandoned_hours=1,
    heartbeat_seconds=4,
    heartbeat_throttle_seconds=1,
    scaler_groups=(),
    orphan_grace_hours=1,
    retire_grace_seconds=1,
)
BUILD = "0123456789abcdef"
Made = dict[str, list[activity._Definition]]
BEATS: dict[str, bool] = {}  # whether the activities of a queue beat


async def registered(monkeypatch: pytest.MonkeyPatch, module: ModuleType, start: Any) -> Made:
    """The methods that a process gives to Temporal's workers; its clients and its host are made up. What is
    no method serves jobs of release 0.1, by their types (`activities.adopting`)."""
    found: Made = {}

    def worker(
        _client: Any, *, task_queue: str, activities: list[Any], interceptors: list[Any], **_more: Any
    ) -> None:
        assert type(interceptors[0]) is MeasuringInterceptor, "every attempt is counted, whatever ends it"
        BEATS[task_queue] = type(interceptors[1]) is Heartbeats
        assert {type(each) for each in interceptors} <= {
            MeasuringInterceptor,
            Heartbeats,
            RefusingInterceptor,
            RestoringInterceptor,
        }
        methods = filter(ismethod, activities)
        found[task_queue] = [activity._Definition.must_from_callable(each) for each in methods]

    for name, value in list(vars(module).items()):
        owner = getattr(value, "__module__", None) or getattr(value, "__name__", "")
        if owner.startswith(("clients.", "intake.")) or name in HOST:
            monkeypatch.setattr(module, name, MagicMock())
    for name in ("run_workers", "make_schedules", "require_fairness"):
        monkeypatch.setattr(module, name, AsyncMock(), raising=False)
    monkeypatch.setattr(module, "fingerprint", AsyncMock(return_value=BUILD), raising=False)
    for name in ("create_engine", "Sandbox", "_models", "Solapi", "keep_schedules", "keep_swept"):
        monkeypatch.setattr(module, name, lambda *_, **__: AsyncMock(), raising=False)
    made_up = MagicMock(connect_when_up=AsyncMock(), require_search_attributes=AsyncMock())
    monkeypatch.setattr(module, "temporal", made_up)
    monkeypatch.setattr(module, "Worker", worker)
    await start(SETTINGS, asyncio.Event())
    return found


@pytest.fixture
async def working(monkeypatch: pytest.MonkeyPatch) -> Made:
    starts = (
        (video_worker, video_worker.video),
        (messaging_worker, messaging_worker.messaging),
        (ai_worker, ai_worker.ai),
        (ops_worker, ops_worker.ops),
    )
    found: Made = {}
    for module, start in starts:
        more = await registered(monkeypatch, module, start)
        assert not found.keys() & more.keys(), "a queue of two processes"
        found |= more
    return found


async def test_each_is_worked_on_once_on_its_queue(working: Made) -> None:
    of_build = queue_of_build(BUILD)
    assert set(working) == {*TaskQueue, of_build} - {TaskQueue.EXTERNAL}, "that one is for others"
    there = Counter((queue, each.name) for queue, made in working.items() for each in made)
    wanted: Counter[tuple[str, str]] = Counter((each.queue, each.name) for each in REFERENCES)
    wanted += Counter((TaskQueue.AI_GPU, name) for queue, name in wanted if queue is TaskQueue.AI)
    wanted += Counter((TaskQueue.MAIL, each.name) for each in messages.OF_A_SENDING)
    of_digests = [each for each in messages.OF_A_SENDING if each is not messages.APPROVAL]
    wanted += Counter((TaskQueue.DIGEST, each.name) for each in of_digests)
    wanted += Counter((of_build, name) for queue, name in wanted if queue is TaskQueue.VIDEO_ENCODE)
    assert there == wanted


@pytest.mark.parametrize(
    ("kind", "module", "start"),
    [
        ("video", video_worker, video_worker.video),
        ("ai", ai_worker, ai_worker.ai),
        ("messaging", messaging_worker, messaging_worker.messaging),
    ],
)
async def test_whoever_has_work_in_hand_is_seen_by_the_scaler(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, module: ModuleType, start: Any
) -> None:
    """Or an instance that sends nothing but mails looks idle, and is scaled in."""
    made = await registered(monkeypatch, module, start)
    assert made.keys() - {queue_of_build(BUILD)} == {*QUEUES[kind], *BESIDE[kind]}


async def test_what_travels_is_read_as_what_it_is(working: Made) -> None:
    """Temporal decodes an input by the method's own annotation, and an output by the reference."""
    made = {each.name: each for several in working.values() for each in several}
    for each in REFERENCES:
        found = made[each.name]
        assert (found.arg_types or [type(None)]) == [each.takes]
        assert (found.ret_type or type(None)) == each.returns


async def test_every_one_beats(working: Made) -> None:
    assert all(BEATS[queue] for queue in working)


async def test_every_one_has_a_heartbeat_that_a_dead_worker_misses_soon() -> None:
    """Also those that last a moment when all is well: they may wait for a database that hangs."""
    assert {each.heartbeat for each in REFERENCES} == {HEARTBEAT}
    slowest = GIVE_UP * HEARTBEAT.total_seconds() - Settings.model_fields["heartbeat_seconds"].default
    assert slowest >= 3, "a beat may be late or lost"
    assert HEARTBEAT + POLICIES[Retry.INFRASTRUCTURE].initial_interval <= timedelta(seconds=12)
    assert HEARTBEAT + POLICIES[Retry.PROVIDER].initial_interval <= timedelta(seconds=12)


async def test_a_name_is_one_activity() -> None:
    assert len({each.name for each in REFERENCES}) == len(REFERENCES)
