"""What a process says of itself at HEALTH_ADDRESS: `/healthz`, that its loop answers; `/readyz`, whether it
takes work (200), or what keeps it from that (503)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

HEAD_BYTES, HEAD_SECONDS = 4096, 5.0


class Health:
    """What keeps this process from taking work, each by who found it. Not for other threads."""

    def __init__(self) -> None:
        self._hindered = {"process": "it has not started yet"}

    def hindered(self, by: str, why: str) -> None:
        self._hindered[by] = why

    def free(self, of: str) -> None:
        self._hindered.pop(of, None)

    def started(self) -> None:
        self.free("process")

    def hindrances(self, stop: asyncio.Event) -> dict[str, str]:
        draining = {"stop": "draining: no new work is taken"} if stop.is_set() else {}
        return self._hindered | draining


HEALTH = Health()  # of this process, as its log is


@asynccontextmanager
async def told(health: Health, address: str | None, stop: asyncio.Event) -> AsyncIterator[None]:
    """Answer at `host:port`, or nowhere. SystemExit where nobody can: several workers of a host need a port
    each."""
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError, ConnectionError):
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(head, health.hindrances(stop)))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host.strip("[]"), int(port), limit=HEAD_BYTES)
    except OSError as error:
        raise SystemExit(f"HEALTH_ADDRESS: nobody can listen at {address}: {error.strerror}") from None
    async with server:
        yield


def _answer(head: bytes, hindered: dict[str, str]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0]
    said: dict[str, object] = {}
    status = HTTPStatus.OK
    if method not in (b"GET", b"HEAD") or path not in (b"/healthz", b"/readyz"):
        status = HTTPStatus.NOT_FOUND
    elif path == b"/readyz":
        status = HTTPStatus.SERVICE_UNAVAILABLE if hindered else HTTPStatus.OK
        said = {"ready": not hindered, "hindered": hindered}
    body = json.dumps(said).encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == b"HEAD" else body)
