"""Redis only displays: whatever it answers, work goes on, and what is shown is nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from clients import confinement, progress
from clients.progress import ProgressBoard, Server
from contracts.progress import video_progress
from devstack.ports import LOOPBACK
from tests.integration.serving import bare_settings

SHOWN = video_progress("encode", 0.5)


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[int]:
    """A server that says the same to every command; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(reply * data.count(b"*"))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def nothing_stops(redis: Server) -> None:
    """Each on a board of its own: one that has met a sick Redis does not ask it again for a while."""
    job = uuid4()
    assert await ProgressBoard(redis).add_frames(job, 3, 100) == 100
    await ProgressBoard(redis).show_video(7, 8, job, SHOWN)
    await ProgressBoard(redis).show_job(7, job, SHOWN)
    assert await ProgressBoard(redis).read("progress") is None
    assert await ProgressBoard(redis).read_many(["one", "two"]) == [None, None]
    telling = asyncio.create_task(confinement.keep_telling(redis, "video", []))
    done, _ = await asyncio.wait({telling}, timeout=0.1)
    telling.cancel()
    assert not done, "what is told beside a worker has ended it"
    await redis.aclose()


@pytest.mark.parametrize(
    "reply",
    [
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MISCONF Redis is configured to save RDB snapshots\r\n",
        b"-NOPERM this user has no permissions\r\n",
        b"$3\r\nabc\r\n",
        b"*1\r\n$3\r\nabc\r\n",
        b"$2\r\n\xff\xfe\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
    ids=lambda reply: reply.split()[0].decode(errors="replace"),
)
async def test_no_answer_of_redis_stops_anything(reply: bytes) -> None:
    async with answering(reply) as port:
        await nothing_stops(progress.connect(bare_settings(redis_port=port)))


async def test_a_cluster_of_which_nobody_answers_stops_nothing() -> None:
    async with answering(b"-CLUSTERDOWN The cluster is down\r\n") as port:
        await nothing_stops(progress.connect(bare_settings(redis_port=port, redis_cluster=True)))
    await nothing_stops(progress.connect(bare_settings(redis_port=1, redis_cluster=True)))
