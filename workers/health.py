"""What a process says of itself at HEALTH_ADDRESS: `/healthz`, that its loop answers; `/readyz`, whether it
takes work (200), or what keeps it from that (503); `/metrics`, what Prometheus reads."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from clients import metrics
from clients.sdk_metrics import SDK_METRICS

log = logging.getLogger(__name__)

TOLD_AT = "health and metrics at http://"
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
async def told(kind: str, health: Health, address: str | None, stop: asyncio.Event) -> AsyncIterator[None]:
    """Answer at `host:port`, or nowhere, for a `kind` of process. SystemExit where nobody can: several of
    one host need a port each."""
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError, ConnectionError):
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(head, kind, health.hindrances(stop)))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host.strip("[]"), int(port), limit=HEAD_BYTES)
    except OSError as error:
        raise SystemExit(f"HEALTH_ADDRESS: nobody can listen at {address}: {error.strerror}") from None
    draining = asyncio.create_task(SDK_METRICS.keep_drained())
    _, told_port, *_ = server.sockets[0].getsockname()
    log.info("%s%s:%d", TOLD_AT, host, told_port)  # of port 0 the system has chosen one
    async with server:
        try:
            yield
        finally:
            draining.cancel()


def _answer(head: bytes, of: str, hindered: dict[str, str]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0]
    status, kind, body = HTTPStatus.OK, "application/json", b"{}"
    if method not in (b"GET", b"HEAD") or path not in (b"/healthz", b"/readyz", b"/metrics"):
        status = HTTPStatus.NOT_FOUND
    elif path == b"/readyz":
        status = HTTPStatus.SERVICE_UNAVAILABLE if hindered else HTTPStatus.OK
        body = json.dumps({"ready": not hindered, "hindered": hindered}).encode()
    elif path == b"/metrics":
        kind, body = CONTENT_TYPE_LATEST, _page(of, hindered)
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == b"HEAD" else body)


def _page(kind: str, hindered: dict[str, str]) -> bytes:
    metrics.READY.labels(kind).set(not hindered)
    metrics.HINDERED.clear()
    for by in hindered:
        metrics.HINDERED.labels(by).set(1)
    return generate_latest()
