"""The example of a receiver of callbacks, asked as we ask."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import httpx
import pytest

from clients.callbacks import signature_v2
from examples.receiver import Receiver

SECRET = "secret"
BODY = json.dumps({"job_id": "job-1", "status": "DONE"}).encode()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Receiver, "secret", SECRET)
    monkeypatch.setattr(Receiver, "seen", set())
    monkeypatch.setattr(Receiver, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def deliver(address: str, ago: int = 0, secret: str = SECRET, body: bytes = BODY) -> int:
    at = str(int(time.time()) - ago)
    headers = {
        "Academy-Delivery": "delivery-1",
        "Academy-Timestamp": at,
        "Academy-Signature-V2": signature_v2(secret.encode(), "delivery-1", at, BODY),
    }
    return httpx.post(address, content=body, headers=headers).status_code


def test_what_is_ours_is_done_once(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [deliver(address), deliver(address)] == [204, 204]
    assert capsys.readouterr().out == "job-1 DONE\n"


def test_what_is_not_ours_is_refused(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    strangers = [deliver(address, ago=301), deliver(address, secret="other"), deliver(address, body=b"{}")]
    assert strangers == [403, 403, 403] and capsys.readouterr().out == ""
