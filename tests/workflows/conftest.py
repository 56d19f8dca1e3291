"""One server for all stories."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.workflows.world import World, environment

_WORLD = World()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with environment(_WORLD) as env:
        yield env


@pytest.fixture
def world() -> Iterator[World]:
    _WORLD.reset()
    yield _WORLD
