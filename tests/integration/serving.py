"""Small HTTP servers inside a test, and settings without a stack."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from clients.settings import Settings
from devstack.ports import LOOPBACK

Reply = Callable[[Request, bytes], Response]
_NEEDED = {
    "db_host": LOOPBACK,
    "db_name": "none",
    "db_user": "none",
    "db_password": "none",
    "redis_host": LOOPBACK,
    "temporal_address": LOOPBACK,
    "r2_endpoint_url": f"http://{LOOPBACK}",
    "r2_access_key_id": "none",
    "r2_secret_access_key": "none",
    "payload_keys": "none",
}


def bare_settings(**values: Any) -> Settings:
    """For clients that use none of the servers."""
    return Settings(**_NEEDED | values)


class Desk:
    """Answers every request with `reply` and keeps what it was asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[tuple[Request, bytes]] = []

    async def handle(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append((request, body))
        return self.reply(request, body)


@asynccontextmanager
async def serving(reply: Reply, port: int = 0) -> AsyncIterator[tuple[Desk, int]]:
    """A desk on the given port, or on one of its own."""
    desk, app = Desk(reply), FastAPI()
    app.add_api_route("/{path:path}", desk.handle, methods=["GET", "HEAD", "POST"])
    config = uvicorn.Config(app, host=LOOPBACK, port=port, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield desk, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def talking(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncIterator[int]:
    """A server that says what `talk` writes, HTTP or not; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, LOOPBACK, 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
