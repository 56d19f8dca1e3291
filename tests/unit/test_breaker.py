"""When the servers are taken to be away, and when a request is."""

import asyncio

from workers.breaker import Breaker


async def nobody() -> None:
    raise ConnectionError


async def test_one_that_nobody_answers_is_no_outage_while_others_are() -> None:
    breaker = Breaker(nobody, lambda _: True)
    silent, answered = await breaker.enter(), await breaker.enter()
    breaker.worked(answered)
    assert not breaker.lost(silent, "x")
    async with asyncio.timeout(1):
        alone = await breaker.enter()
    assert breaker.lost(alone, "x")
