"""What every answer of the console carries, and who may post to it."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.policy import HEADERS, from_our_page
from api.services import get_services

SAFE = ("GET", "HEAD")


class Guard:
    """A strict Content-Security-Policy, and no post from another site.

    The cookie is SameSite=Strict; another port or subdomain of ours is the same site all the same, so the
    `Origin` of a post must be the host that is asked (OWASP: verifying origin with standard headers).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        if scope["method"] not in SAFE and not from_our_page(headers):
            return await PlainTextResponse("This post comes from another site.", 403)(scope, receive, send)
        policy = content_policy(get_services(HTTPConnection(scope)).settings.r2_endpoint_url)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out.setdefault("Content-Security-Policy", policy)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                if not out["X-Frame-Options"]:  # of a page that says itself who may frame it
                    del out["X-Frame-Options"]
                out.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, sending)


def content_policy(object_store: str, frames: Sequence[str] = ()) -> str:
    """Everything from here; pictures, video and uploads also from and to the object store. `frames`: origins
    whose pages may have the page in a frame."""
    parts = urlsplit(object_store)
    store = f"{parts.scheme}://{parts.netloc}"
    sources = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' {store}",
        "media-src": f"'self' blob: data: {store}",  # data: the empty track under which hls.js puts captions
        "connect-src": f"'self' {store}",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(frames) or "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in sources.items())
