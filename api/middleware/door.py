"""Who may come in at all: before anything is read or looked up, each address and each credential has a rate,
and whoever was answered 401 again and again waits, twice as long each time."""

import hashlib
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from fastapi import FastAPI, HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.auth.sessions import COOKIES
from api.middleware.requests import request_id_of
from api.problems import answer_of, refused
from api.rates import MANY, Rates
from api.services import get_services
from clients.settings import Settings

ALIVE = "/healthz"  # always answered
PLAY = "/api/v1/play/"
PROVEN_SECONDS = 3600.0  # how long a credential that worked is known at its address
LONGEST = 300.0  # seconds that anybody waits
FORGOTTEN = 900.0  # seconds without a 401 after which it counts from the beginning

# For a year browsers come to this host over TLS only. Never said over plain HTTP (RFC 6797, 7.2).
HSTS = "max-age=31536000"

Clock = Callable[[], float]


@dataclass
class _Failures:
    count: int = 0
    last: float = 0.0
    until: float = 0.0


class Lockout:
    """What failed how often. Up to `free` failures cost nothing; then 1 s, 2, 4, up to LONGEST."""

    def __init__(self, free: int, clock: Clock = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._known: OrderedDict[str, _Failures] = OrderedDict()

    def require_free(self, name: str) -> None:
        """HTTPException 429 with Retry-After while `name` is locked out."""
        known = self._known.get(name)
        if known and (wait := known.until - self._clock()) > 0:
            metrics.LIMITED.inc()
            detail = "Too many requests without a valid credential."
            raise refused(429, "locked_out", detail, Retry_After=str(int(wait) + 1))

    def failed(self, name: str) -> int:
        """Note a failure; how many there were."""
        now = self._clock()
        known = self._known.pop(name, None)
        if known is None or now - known.last > FORGOTTEN:
            known = _Failures()
        known.count, known.last = known.count + 1, now
        over = known.count - self._free
        if over > 0:
            known.until = now + min(2.0 ** min(over - 1, 20), LONGEST)
        self._known[name] = known
        while len(self._known) > MANY:
            self._known.popitem(last=False)
        return known.count


class Door:
    """Around the application and its polls.

    An address is the peer's own. Only of a peer in `API_PROXIES` it is what that says in `X-Forwarded-For`:
    the last one there that is no such proxy itself; and its `X-Forwarded-Proto` is the scheme.
    A credential that has worked at its address is not stopped by what others fail at there: behind one
    address are a school's players, or all academies of one system.
    """

    def __init__(self, app: ASGIApp, api: FastAPI) -> None:
        self._app = app
        self._api = api
        self._guards: Guards | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope["app"] = self._api
        scope.setdefault("state", {})
        request = Request(scope)
        settings = get_services(request).settings
        guards = self._guards
        if guards is None or guards.settings is not settings:  # another lifespan: tests
            guards = self._guards = Guards(settings)
        guards.locate(scope)
        if scope["scheme"] == "https":
            send = _over_tls_only(send)
        if scope["path"] == ALIVE:
            return await self._app(scope, receive, send)
        visitor = guards.visitor(scope)
        try:
            guards.let_in(visitor)
        except HTTPException as error:
            request.state.request_id = request_id_of(request)
            return await (await answer_of(request, error))(scope, receive, send)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                guards.note(visitor, message["status"], proven="proven" in scope["state"])
            await send(message)

        await self._app(scope, receive, noting)


@dataclass(frozen=True)
class Visitor:
    """`credential` is a hash of what was shown, or the part of the site that was asked without one."""

    address: str
    credential: str
    shown: bool

    @property
    def both(self) -> str:
        return f"{self.address} {self.credential}"


class Guards:
    """What one process remembers of addresses and credentials."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._addresses = Rates(settings.api_address_requests_per_second, settings.api_address_burst)
        self._credentials = Rates(settings.api_requests_per_second, settings.api_burst)
        self._repeated = Lockout(settings.api_failures)
        self._guessing = Lockout(settings.api_address_failures)
        self._proven: OrderedDict[str, float] = OrderedDict()

    def locate(self, scope: Scope) -> None:
        """Write into `scope` whose address it is, and the scheme that was asked."""
        peer = (scope.get("client") or ("", 0))[0]
        headers = Headers(scope=scope)
        if not self.settings.is_proxy(peer):
            return
        address = peer
        for hop in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
            if not _is_address(hop := hop.strip()):
                break
            address = hop
            if not self.settings.is_proxy(hop):
                break
        scope["client"] = (address, 0)
        if (scheme := headers.get("x-forwarded-proto")) in ("http", "https"):
            scope["scheme"] = scheme

    def visitor(self, scope: Scope) -> Visitor:
        headers, path = Headers(scope=scope), scope["path"]
        shown = headers.get("authorization") or headers.get("x-solapi-secret") or _cookie(headers)
        if path.startswith(PLAY):
            shown = path.removeprefix(PLAY).partition("/")[0]
        address = _network((scope.get("client") or ("", 0))[0])
        kind = "login" if path.endswith("/login") and scope["method"] == "POST" else path.split("/")[1]
        if kind == "login" or not shown:
            return Visitor(address, kind, shown=False)
        return Visitor(address, hashlib.sha256(shown.encode()).hexdigest(), shown=True)

    def let_in(self, visitor: Visitor) -> None:
        """HTTPException 429 for who asks too often, or has failed too often."""
        self._repeated.require_free(visitor.both)
        if (
            visitor.shown
            and time.monotonic() - self._proven.get(visitor.both, -PROVEN_SECONDS) < PROVEN_SECONDS
        ):
            self._credentials.take(visitor.credential)
            return
        if visitor.shown:
            self._guessing.require_free(visitor.address)
        self._addresses.take(visitor.address)

    def note(self, visitor: Visitor, status: int, *, proven: bool) -> None:
        """What came of it: 401 counts; `proven`, the credential was looked at and is good."""
        if status == 401:
            self._proven.pop(visitor.both, None)
            if self._repeated.failed(visitor.both) == 1 and visitor.shown:
                self._guessing.failed(visitor.address)  # another one: repeating one is no guessing
        elif visitor.shown and proven:
            self._proven.pop(visitor.both, None)
            self._proven[visitor.both] = time.monotonic()
            while len(self._proven) > MANY:
                self._proven.popitem(last=False)


def _over_tls_only(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Strict-Transport-Security"] = HSTS
        await send(message)

    return sending


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(address: str) -> str:
    """IPv6 by its /64, which is one customer's."""
    if _is_address(address) and (parsed := ipaddress.ip_address(address)).version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return next((found[name].value for name in COOKIES if name in found), "")
