"""A process of workers lives whole, or ends."""

import asyncio
from unittest.mock import AsyncMock, MagicMock

import pytest
from temporalio.service import RPCError, RPCStatusCode

from workers import running
from workers.health import Health
from workers.running import Refused, run_workers

UNAVAILABLE, DENIED = RPCStatusCode.UNAVAILABLE, RPCStatusCode.PERMISSION_DENIED


def worker(*answers: RPCStatusCode | None) -> MagicMock:
    """Runs until it is shut down; its server answers so, and then well."""
    down = asyncio.Event()
    made = MagicMock(run=down.wait, shutdown=AsyncMock(side_effect=down.set))
    made.client.namespace = "ours"
    errors = [RPCError("", each, b"") if each else None for each in answers]
    made.client.workflow_service.describe_namespace = AsyncMock(side_effect=[*errors, *[None] * 1000])
    return made


async def test_what_fails_beside_the_workers_ends_them() -> None:
    async def fails() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await run_workers([worker(), worker()], asyncio.Event(), fails())


@pytest.mark.parametrize(
    ("answers", "ends"),
    [((DENIED, DENIED), True), ((DENIED, None, DENIED, None), False), ((UNAVAILABLE,) * 10, False)],
    ids=["refused", "refused now and then", "an outage"],
)
async def test_only_refusals_in_a_row_end_it(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[RPCStatusCode | None, ...], ends: bool
) -> None:
    monkeypatch.setattr(running, "ASK_EVERY", 0.001)
    stop, one = asyncio.Event(), worker(*answers)
    working = asyncio.create_task(run_workers([one], stop))
    if ends:
        with pytest.raises(Refused, match="PERMISSION_DENIED"):
            await working
        return
    while one.client.workflow_service.describe_namespace.await_count <= len(answers):
        await asyncio.sleep(0)
    stop.set()
    await working


async def test_an_outage_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that it is over."""
    health, stop = Health(), asyncio.Event()
    monkeypatch.setattr(running, "ASK_EVERY", 0.001)
    monkeypatch.setattr(running, "HEALTH", health)
    one = worker(UNAVAILABLE, UNAVAILABLE)
    seen: list[set[str]] = []
    describe = one.client.workflow_service.describe_namespace

    async def looking() -> None:
        while describe.await_count < 4:
            seen.append(set(health.hindrances(stop)))
            await asyncio.sleep(0)
        stop.set()

    assert set(health.hindrances(stop)) == {"process"}
    await run_workers([one], stop, looking())
    assert {"temporal"} in seen and seen[-1] == set()
