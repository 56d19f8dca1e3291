"""What a worker says of itself: that it answers, and what keeps it from taking work."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from activities.host.trouble import HostTrouble
from devstack.app import running
from devstack.stack import Stack
from tests.lab import PATIENCE, eventually, unused_port
from tests.pages import page_at
from workers import breaker, slots
from workers.breaker import Breaker
from workers.health import Health, told
from workers.slots import _Slots


class Told:
    def __init__(self, port: int) -> None:
        self.health, self.stop, self.url = Health(), asyncio.Event(), f"http://127.0.0.1:{port}"

    async def ask(self, path: str = "/readyz", method: str = "GET") -> tuple[int, Any]:
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            answer = await http.request(method, self.url + path)
        return answer.status_code, answer.json().get("hindered") if answer.content else None


@pytest_asyncio.fixture
async def here() -> AsyncIterator[Told]:
    port = unused_port()
    made = Told(port)
    async with told("video", made.health, f"127.0.0.1:{port}", made.stop):
        yield made


async def test_it_takes_work_when_it_has_started_and_nothing_keeps_it(here: Told) -> None:
    assert await here.ask() == (503, {"process": "it has not started yet"})
    assert await here.ask("/healthz") == (200, None)
    here.health.started()
    assert await here.ask() == (200, {})
    here.health.hindered("temporal", "away")
    here.health.hindered("video-encode", "full")
    assert await here.ask() == (503, {"temporal": "away", "video-encode": "full"})
    here.health.free("video-encode")
    here.health.free("temporal")
    here.stop.set()
    assert await here.ask() == (503, {"stop": "draining: no new work is taken"})
    assert (await here.ask("/healthz"))[0] == 200, "it still answers"
    assert (await here.ask("/healthz", "HEAD"))[0] == 200
    assert (await here.ask("/other"))[0] == (await here.ask("/readyz", "POST"))[0] == 404


async def test_what_keeps_it_is_told_to_prometheus(here: Told) -> None:
    here.health.started()
    here.health.hindered("video-encode", "full")
    page = await page_at(here.url)
    assert page.of("worker_ready") == 0 and page.of("worker_hindered", by="video-encode") == 1
    here.health.free("video-encode")
    page = await page_at(here.url)
    assert page.of("worker_ready", kind="video") == 1 and page.of("worker_hindered") == 0


async def test_who_asks_oddly_stops_nobody(here: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.health.HEAD_SECONDS", 0.05)
    for head in (b"", b"GET", b"x" * 10_000, b"\xff\x00 \r\n\r\n", b"GET\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(here.url.rpartition(":")[2]))
        writer.write(head)
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert not answer or b" 404 " in answer
        writer.close()
    assert (await here.ask("/healthz"))[0] == 200


async def test_an_address_that_another_has_is_told(here: Told) -> None:
    with pytest.raises(SystemExit, match="HEALTH_ADDRESS"):
        async with told("video", Health(), here.url.removeprefix("http://"), asyncio.Event()):
            pass
    async with told("video", Health(), None, asyncio.Event()):
        pass  # nothing is opened where nobody asked for it


async def test_a_full_disk_and_an_outage_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health()
    health.started()
    for module in (slots, breaker):
        monkeypatch.setattr(module, "HEALTH", health)
    full = True

    def require_room() -> None:
        if full:
            raise HostTrouble("the disk lacks room")

    worker = _Slots(1, require_room)
    assert not await worker._has_room("video-encode")
    assert "lacks room" in health.hindrances(asyncio.Event())["video-encode"]
    full = False
    assert await worker._has_room("video-encode")

    async def well() -> None:
        pass

    bridge = Breaker(well, lambda _: True)
    turn = await bridge.enter()
    assert bridge.lost(turn, "Temporal is away")
    assert health.hindrances(asyncio.Event()) == {"breaker": "open: Temporal is away"}
    bridge.worked(await bridge.enter())
    assert health.hindrances(asyncio.Event()) == {}


@pytest.mark.slow
async def test_a_real_worker_says_that_it_polls(stack: Stack) -> None:
    port = unused_port()
    asked = Told(port)
    async with running(stack, "ops", HEALTH_ADDRESS=f"127.0.0.1:{port}"):
        assert await asked.ask() == (200, {})
        stack.suspend("temporal")
        try:

            async def away() -> bool:
                return "temporal" in (await asked.ask())[1]

            await eventually(away, "it says what keeps it")
            assert (await asked.ask("/healthz"))[0] == 200
        finally:
            stack.resume("temporal")

        async def well() -> bool:
            return await asked.ask() == (200, {})

        await eventually(well, "it takes work again")
