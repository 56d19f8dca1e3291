"""A client that hangs up, wherever it is in its request, is nothing that went wrong here."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests import signed_in
from tests.api.conftest import Caller
from tests.api.test_jobs import ocr
from tests.lab import eventually, log_lines

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW = struct.pack("ii", 1, 0)  # SO_LINGER: a reset, and no polite end


def asked(academy: Caller, job_id: str, cookie: str) -> Iterator[tuple[str, bytes, bool]]:
    """Name, what is sent, and whether an answer is waited for before the end."""
    bearer = f"Authorization: Bearer {academy.key}\r\n"
    kinds = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
    half = json.dumps(ocr(academy.tenant))[:20]
    for path, kind, head in (
        ("/api/v1/jobs", "json", bearer),
        ("/api/v1/jobs", "json", bearer + "Idempotency-Key: half\r\n"),
        ("/api/v1/uploads", "json", bearer),
        ("/api/v1/messages/", "json", bearer),
        ("/api/v1/webhooks/solapi", "json", ""),
        ("/codec/decode", "json", cookie),
        ("/console/login", "form", ""),
        ("/console/letters", "form", cookie + "Origin: http://api\r\n"),
    ):
        start = f"POST {path} HTTP/1.1\r\nHost: api\r\nContent-Type: {kinds[kind]}\r\n{head}"
        yield f"{path} half", f"{start}Content-Length: 5000\r\n\r\n{half}".encode(), False
        chunk = f"{len(half):x}\r\n{half}\r\n"
        yield f"{path} chunked", f"{start}Transfer-Encoding: chunked\r\n\r\n{chunk}".encode(), False
    for path, head in (
        (f"/api/v1/jobs/{job_id}/events", bearer),
        ("/console/jobs/stream", cookie),
        ("/openapi.json", ""),
        ("/console/", cookie),
        ("/console/static/vendor/hls.light.min.js", cookie),
        (f"/api/v1/jobs/{job_id}", bearer),
        ("/readyz", ""),
    ):
        get = f"GET {path} HTTP/1.1\r\nHost: api\r\n{head}\r\n".encode()
        yield f"{path} at once", get, False
        yield f"{path} in the answer", get, True
    yield "a head", b"GET /api/v1/jobs HTTP/1.1\r\nHost: a", False


async def test_who_hangs_up_is_no_error(academy: Caller) -> None:
    at = urlsplit(str(academy.http.base_url))
    job_id = (await academy.post("/jobs", ocr(academy.tenant)))["job_id"]
    before = len(log_lines(academy.lab.stack, "api"))
    cookie = (await signed_in.header(academy.lab, academy.tenant, operator=True))["Cookie"]
    requests = list(asked(academy, job_id, f"Cookie: {cookie}\r\n"))
    for name, sent, waits in requests:
        for reset in (False, True):
            reader, writer = await asyncio.open_connection(at.hostname, at.port)
            writer.write(sent)
            await writer.drain()
            if waits:
                assert await reader.read(1), name
            if reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
            writer.close()

    async def logged() -> bool:
        lines = log_lines(academy.lab.stack, "api")[before:]
        return sum(line["message"] == "request" for line in lines) >= 2 * len(requests) - 4

    await eventually(logged)
    assert (await academy.http.get("/healthz")).status_code == 200
    lines = log_lines(academy.lab.stack, "api")[before:]
    assert [line for line in lines if line["level"] in ("ERROR", "CRITICAL") or "exception" in line] == []
    posted = [line["status"] for line in lines if line.get("method") == "POST"]
    assert posted.count(499) >= 20 and not [status for status in posted if status >= 500]
    await academy.post(f"/jobs/{job_id}/cancel")
