"""A page of an academy's own with a lecture in it. `WATCH_FRAMES` of the API must name this page's origin.

API=https://workflows.example.com KEY=prefix.secret python embed.py VIDEO STUDENT [PORT]
"""

import html
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx

API, KEY = os.environ["API"], os.environ["KEY"]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Your site knows who has signed in; here it is always the same student."""
        video, student = sys.argv[1:3]
        made = httpx.post(
            f"{API}/api/v1/videos/{video}/students/{student}/link",
            headers={"Authorization": f"Bearer {KEY}"},
            json={"days": 1},
        ).raise_for_status()
        frame = (
            f'<iframe src="{html.escape(API + made.json()["path"])}" allow="autoplay; fullscreen"></iframe>'
        )
        page = f"<!doctype html><title>Lecture</title>{frame}"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(page.encode())


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 8081), Page).serve_forever()
