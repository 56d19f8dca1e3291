from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from devstack.app import App
from devstack.stack import Stack
from tests.lab import PATIENCE, Lab
from tests.viewing.classroom import Classroom


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def room(app: App, stack: Stack) -> AsyncIterator[Classroom]:
    """One academy for these tests; students are each test's own."""
    lab = await Lab.open(stack)
    async with httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http:
        yield await Classroom.open(lab, http)
    await lab.close()
