"""A host that cannot confine is seen from outside, not only in its worker's log."""

import pytest

from clients import confinement
from clients.progress import connect
from tests.api.conftest import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_a_host_lacks_is_in_readyz_and_in_the_metrics(academy: Caller) -> None:
    redis = connect(academy.lab.settings)
    await confinement.tell(redis, "told", ["files (Landlock)"])
    (name,) = [each for each in await confinement.lacking(redis) if each.endswith(":told")]
    ready = (await academy.http.get("/readyz")).json()
    assert ready["unconfined"][name] == ["files (Landlock)"]
    assert f'host_unconfined{{worker="{name}"}} 1.0' in (await academy.http.get("/metrics")).text
    await confinement.tell(redis, "told", [])
    assert name not in (await academy.http.get("/readyz")).json().get("unconfined", {})
    assert f'host_unconfined{{worker="{name}"}} 0.0' in (await academy.http.get("/metrics")).text
    await redis.hdel(confinement.KEY, name)
    await redis.aclose()


async def test_workers_tell_it(academy: Caller) -> None:
    """The one of videos, which this application runs."""
    redis = connect(academy.lab.settings)
    assert [each for each in await confinement.lacking(redis) if each.endswith(":video")]
    await redis.aclose()
