"""A stream of events ends when its credential does, within ten seconds, and the console says so."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import func, update

from api import streams
from api.streams import while_allowed
from clients.database.models import ServiceKey
from contracts.jobs import JobState
from tests import signed_in
from tests.api.conftest import Caller
from tests.lab import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")
WITHIN = 10.0
ON_A_BUSY_MACHINE = 2 * WITHIN  # without a look at the credential it would never end
TOKEN = 4  # seconds; enough to open the stream


async def read(who: Caller, path: str, headers: dict[str, str]) -> tuple[str, float]:
    """All of a stream, and for how long it lasted."""
    began, said = time.monotonic(), ""
    async with who.http.stream("GET", path, headers=headers, timeout=PATIENCE) as answer:
        assert answer.status_code == 200
        async for part in answer.aiter_text():
            said += part
    return said, time.monotonic() - began


async def test_of_a_revoked_key(academy: Caller) -> None:
    await academy.row("watched", JobState.RUNNING)
    key = await academy.lab.service_key(academy.tenant)
    path = "/api/v1/jobs/watched/events"
    reading = asyncio.create_task(read(academy, path, {"Authorization": f"Bearer {key}"}))
    await asyncio.sleep(0)
    async with academy.lab.engine.begin() as connection:
        this = ServiceKey.prefix == key.partition(".")[0]
        if reading.done():
            pytest.fail("it ended before")
        first = await academy.ask("GET", "/jobs", Authorization=f"Bearer {key}")
        assert first.status_code == 200
        await connection.execute(update(ServiceKey).where(this).values(revoked_at=func.now()))
    revoked = time.monotonic()
    await asyncio.wait_for(reading, PATIENCE)
    assert time.monotonic() - revoked < ON_A_BUSY_MACHINE
    assert (await academy.http.get(path, headers={"Authorization": f"Bearer {key}"})).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/jobs/told/events", "/console/jobs/stream"])
async def test_of_a_token_that_expires(academy: Caller, path: str) -> None:
    if path.endswith("told/events"):
        await academy.row("told", JobState.RUNNING)
    cookie = await signed_in.header(academy.lab, academy.tenant, seconds=TOKEN)
    said, lasted = await read(academy, path, cookie)
    assert lasted < TOKEN + ON_A_BUSY_MACHINE
    assert ("event: signed-out" in said) is path.startswith("/console")
    answer = await academy.http.get(path, headers=cookie)
    assert answer.status_code in (303, 401)


async def test_what_is_not_read_any_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends it, the source of events is left in order."""
    monkeypatch.setattr(streams, "LOOK_AGAIN", 0.01)
    closed = []

    async def source() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def no() -> bool:
        return False

    assert [each async for each in while_allowed(source(), no, 9)] in ([1, 9], [9])
    assert closed == [True]
