"""An object store that is there, and not well: lectures take longer, and are whole."""

import itertools
from asyncio import StreamReader, StreamWriter

import pytest

from devstack.app import running
from devstack.ports import LOOPBACK
from tests.faults.proxy import Proxy
from tests.lab import CLIP, Lab, fresh_id

pytestmark = pytest.mark.slow


class Store(Proxy):
    """While it is ill every third connection is told to come later, and answers break off in the middle."""

    ill = False
    refused = 0
    _connections = 0

    def fall_ill(self) -> None:
        self.ill = True
        self.lose(itertools.cycle([False] * 10 + [True]))

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._connections += 1
        if not self.ill or self._connections % 3:
            return await super()._accept(reader, writer)
        self.refused += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


async def test_a_lecture_is_whole_though_the_store_is_not_well(own_lab: Lab) -> None:
    lab, tenant, before, meanwhile = own_lab, fresh_id(), fresh_id(), fresh_id()
    async with Store(LOOPBACK, lab.stack.ports.s3) as store:
        address = f"http://{LOOPBACK}:{store.port}"
        async with running(lab.stack, "bridge", "ops", "video", R2_ENDPOINT_URL=address):
            lab.send_encode(tenant, before, CLIP)
            await lab.ended(tenant)
            store.fall_ill()
            lab.send_encode(tenant, meanwhile, CLIP)
            jobs = await lab.ended(tenant, count=2)
    assert [job.state for job in jobs] == ["DONE", "DONE"]
    assert store.lost > 0 < store.refused
    assert segments(lab, tenant, meanwhile) == segments(lab, tenant, before)


def segments(lab: Lab, tenant: int, video: int) -> list[tuple[str, int]]:
    """What a version consists of, apart from where it lies."""
    found = lab.objects.list(f"tenants/{tenant}/video/hls/{video}/")
    return sorted((key.rpartition("/")[2], size) for key, size in found if key.endswith((".m4s", "init.mp4")))
