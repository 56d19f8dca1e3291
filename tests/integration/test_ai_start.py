"""An AI worker that could not do its work as promised does not start, and says why."""

import asyncio
from unittest.mock import AsyncMock

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.ai.tasks.ocr.models import check_models
from devstack import programs
from devstack.stack import Stack
from tests.lab import PATIENCE
from workers import ai, fairness
from workers.fairness import FairnessOff, require_fairness


async def refusal(stack: Stack, **env: str) -> str:
    process = stack.python("ai-refused", "-m", "workers", "ai", **env)
    await asyncio.to_thread(process.start)
    try:
        async with asyncio.timeout(PATIENCE):
            while process.alive():
                await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(process.stop, 1)
    return process.said()


async def test_a_server_with_fairness_off(stack: Stack) -> None:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=programs.script("temporal"), dev_server_log_level="error"
    ) as unfair:
        with pytest.raises(FairnessOff):
            await require_fairness(unfair.client)
        said = await refusal(stack, TEMPORAL_ADDRESS=unfair.client.service_client.config.target_host)
    assert "matching.enableFairness: true" in said and '"ready"' not in said


async def test_one_look_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was busy read the backlog ahead, and the worker ended."""
    looks = [FairnessOff("the others came first"), None]
    monkeypatch.setattr(fairness, "_try", AsyncMock(side_effect=looks))
    await require_fairness(AsyncMock())


@pytest.mark.slow
async def test_the_stack_s_own_server_is_fair(stack: Stack) -> None:
    """Also when it has no time to answer at first."""
    await require_fairness(await Client.connect(stack.settings().temporal_address), seconds=0.02)


@pytest.mark.parametrize("limit", ["", "4"])
async def test_more_threads_than_one(stack: Stack, limit: str) -> None:
    said = await refusal(stack, OMP_THREAD_LIMIT=limit)
    assert "OMP_THREAD_LIMIT must be 1" in said and '"ready"' not in said


def test_a_missing_model(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "eng.traineddata.gz").touch()
    with pytest.raises(FileNotFoundError, match="kor"):
        check_models(tmp_path)
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    monkeypatch.setattr(ai, "check_models", lambda: check_models(tmp_path))
    with pytest.raises(SystemExit, match="kor"):
        ai._check_host("")


def test_a_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    with pytest.raises(SystemExit, match="no-such-tesseract"):
        ai._check_host("no-such-tesseract")
