"""Take callbacks: believe what is signed, do each once, answer at once. Needs nothing but Python."""

import hashlib
import hmac
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST = 10_000_000  # bytes


def genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether we sent this within the last five minutes."""
    delivery, timestamp = headers.get("Academy-Delivery", ""), headers.get("Academy-Timestamp", "")
    if not timestamp.isdecimal() or len(timestamp) > 12 or abs(time.time() - int(timestamp)) > 300:
        return False
    signed = delivery.encode() + b"." + timestamp.encode() + b"." + body
    expected = "v2=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), headers.get("Academy-Signature-V2", "").encode())


class Receiver(BaseHTTPRequestHandler):
    """`seen`: deliveries that were handled. Let yours stand in a table, which a restart does not forget."""

    secret = ""
    seen: set[str] = set()  # noqa: RUF012 - one for all requests
    one_at_a_time = threading.Lock()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            return self.send_error(413)
        body = self.rfile.read(int(length))
        headers = {name: self.headers.get(name, "") for name in self.headers}
        if not genuine(self.secret, headers, body):
            return self.send_error(403)
        with self.one_at_a_time:
            if headers["Academy-Delivery"] not in self.seen:
                self.handle_once(json.loads(body))
                self.seen.add(headers["Academy-Delivery"])
        self.send_response(204)
        self.end_headers()

    def handle_once(self, ended: dict[str, object]) -> None:
        print(ended["job_id"], ended["status"], flush=True)


if __name__ == "__main__":
    Receiver.secret = os.environ["SECRET"]
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
