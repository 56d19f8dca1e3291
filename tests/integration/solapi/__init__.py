"""A Solapi simulator as its own process, a signed client for it, and somebody who takes its webhooks."""

import hashlib
import hmac
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx

from devstack.ports import LOOPBACK
from devstack.processes import Process
from devstack.solapi.client import Simulator
from tests.lab import PATIENCE, unused_port

KEY, SECRET = "SIMULATORKEY", "SIMULATORSECRET"
SENDER = "0212345678"
GROUPS = "/messages/v4/groups"
ANA, BOM = "01055550001", "01055550002"
NO_SMS, NO_KAKAO, OPTED_OUT, SILENT, LATE = (f"0104040{fate}001" for fate in "12345")
ROOT = Path(__file__).parents[3]
T = TypeVar("T")


@contextmanager
def running_simulator(folder: Path) -> Iterator[Simulator]:
    port = unused_port()
    process = Process(
        "solapi",
        [sys.executable, "-m", "devstack.solapi", "--host", LOOPBACK, "--port", str(port)],
        folder / "solapi.log",
        {"PATH": os.defpath, "LANG": "C.UTF-8", "SOLAPI_API_KEY": KEY, "SOLAPI_API_SECRET": SECRET},
        cwd=ROOT,
    )
    process.start()
    try:
        with Simulator(f"http://{LOOPBACK}:{port}") as simulator:
            process.wait_ready(simulator.check, (OSError,))
            simulator.pid = process.pid  # type: ignore[attr-defined]
            yield simulator
    finally:
        process.stop(5)


def authorization(
    key: str = KEY,
    secret: str = SECRET,
    late: float = 0,
    form: str = "HMAC-SHA256 apiKey={key}, date={date}, salt={salt}, signature={signature}",
) -> str:
    date, salt = (datetime.now(UTC) - timedelta(seconds=late)).isoformat(), secrets.token_hex(8)
    signature = hmac.new(secret.encode(), (date + salt).encode(), hashlib.sha256).hexdigest()
    return form.format(key=key, date=date, salt=salt, signature=signature)


class Api:
    """Signed calls for one job, whose value can be matched by faults and in the ledger."""

    def __init__(self, url: str) -> None:
        self.job = secrets.token_hex(8)
        self.http = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        headers = {"Authorization": authorization()}
        return self.http.request(method, path, json=body, params=query, headers=headers)

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, **query).raise_for_status().json()

    def group(self, *recipients: str, duplicates: bool = True, **more: Any) -> str:
        """A new group with a message for each recipient; its id."""
        body = {"allowDuplicates": duplicates, "customFields": {"job": self.job, "chunk": "0"}}
        made = self.ask("POST", "/messages/v4/groups", body).raise_for_status().json()
        assert made["status"] == "PENDING"
        if recipients:
            self.add(made["groupId"], *[self.message(to, **more) for to in recipients]).raise_for_status()
        return made["groupId"]

    def message(self, to: str, **more: Any) -> dict[str, Any]:
        fields = {"job": self.job, "n": to}
        return {"to": to, "from": SENDER, "text": "등원했습니다.", "customFields": fields} | more

    def add(self, group: str, *messages: dict[str, Any]) -> httpx.Response:
        return self.ask("PUT", f"/messages/v4/groups/{group}/messages", {"messages": messages})

    def send(self, group: str) -> httpx.Response:
        return self.ask("POST", f"/messages/v4/groups/{group}/send")

    def sent(self, group: str) -> list[dict[str, Any]]:
        """The group's messages, all pages."""
        found, key = [], {}
        while True:
            page = self.get(f"/messages/v4/groups/{group}/messages", limit=500, **key)
            found += page["messageList"].values()
            if page["nextKey"] is None:
                return found
            key = {"startKey": page["nextKey"]}

    def completed(self, group: str) -> list[dict[str, Any]]:
        """The group's messages once all are reported."""
        until(lambda: self.get(f"/messages/v4/groups/{group}")["status"] == "COMPLETE")
        return self.sent(group)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errorCode"]


def until(look: Callable[[], T]) -> T:
    """The first true answer."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return answer


class Receiver:
    """An HTTP server that keeps the webhooks it gets; the first `refuse` are answered with 500."""

    def __init__(self, refuse: int = 0) -> None:
        self.posts: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.posts.append((dict(self.headers), body))
                self.send_response(500 if len(receiver.posts) <= refuse else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/hook"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def items(self) -> list[dict[str, Any]]:
        return [item for _, body in [*self.posts] for item in body]
