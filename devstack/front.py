"""Temporal's web UI and our codec behind one address, signed in: a browser asks a codec of another origin
without a cookie, and shows a red banner on every page.

For this machine alone. Whoever may open the UI here may read what it shows, as whoever may read `.data` can.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from devstack.ports import LOOPBACK

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
OWN = {"host", "connection", "content-length", "transfer-encoding", "authorization"}  # of each connection
CODEC = "/codec/decode"


def front(ui: str, api: str, leave: Callable[[], str], port: int) -> Starlette:
    """Answers with the UI at `ui`, and asks the codec at `api` with a token of `leave`."""
    client = httpx.AsyncClient(timeout=60)
    client.headers.clear()  # the browser's are passed on, and no others

    async def passed_on(request: Request) -> Response:
        if request.headers.get("host") not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
            return PlainTextResponse("Ask by the address that `make dev` prints.", 421)
        codec = request.url.path == CODEC
        headers = {name: value for name, value in request.headers.items() if name not in OWN}
        if codec:
            headers = {"content-type": "application/json", "authorization": f"Bearer {leave()}"}
        asked = client.build_request(
            request.method,
            f"{api if codec else ui}{request.url.path}",
            params=request.url.query.encode(),
            content=await request.body(),
            headers=headers,
        )
        try:
            answer = await client.send(asked, stream=True)
        except httpx.HTTPError as error:
            return PlainTextResponse(f"{type(error).__name__}: it does not answer.", 502)
        response = StreamingResponse(
            answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose)
        )
        response.raw_headers = [
            (name, value) for name, value in answer.headers.raw if name.decode().lower() not in OWN
        ]
        return response

    return Starlette(routes=[Route("/{path:path}", passed_on, methods=METHODS)])


@contextlib.contextmanager
def serving(application: Starlette, port: int) -> Iterator[None]:
    """In a thread, until the end of the block."""
    config = uvicorn.Config(application, host=LOOPBACK, port=port, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="front", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
