"""Solapi v4 over HTTP: https://developers.solapi.com. No call is repeated here; who calls decides.

Every request is signed anew, because a signature is good once. What an error says about whether the
request took effect is the error's type: `Refused` and `Throttled` did not, `Ambiguous` may have.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from pydantic_core import from_json

from clients import metrics, tracing
from clients.settings import Settings

PAGE = 500
TIMEOUT = httpx.Timeout(10, connect=5, pool=30)
ADD_TIMEOUT = httpx.Timeout(60, connect=5, pool=30)  # 15 MB of messages
RETRY_AT_MOST = 600.0  # seconds: who says longer is asked again all the same
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # what else may stand there is nobody's code, and is not repeated
LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10)


class SolapiError(Exception):
    """`code` is Solapi's errorCode, or a word of ours where it gave none."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refused(SolapiError):
    """An answer that will not change by asking again: nothing was done. `status` is HTTP's. `own`: it has
    Solapi's errorCode; one without may be of whoever stands between."""

    def __init__(self, code: str, status: int, own: bool = True) -> None:
        super().__init__(code)
        self.status = status
        self.own = own


class Throttled(SolapiError):
    """429: nothing was done; ask again after `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("TooManyRequests")
        self.retry_after = retry_after


class Unreachable(SolapiError):
    """No connection was made: nothing was done."""


class Ambiguous(SolapiError):
    """A 5xx, a lost connection, a timeout or half an answer: it may have been done."""

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.retry_after = retry_after


class NotUnderstood(Ambiguous):
    """Well-formed JSON of another shape than Solapi's: it may have been done."""

    def __init__(self) -> None:
        super().__init__("AnswerNotUnderstood")


@dataclass(frozen=True)
class Group:
    """A group as the provider has it: PENDING, SENDING, COMPLETE, SCHEDULED, FAILED or DELETED."""

    id: str
    state: str
    sent: int


class Solapi:
    """One account. Raises SolapiError's kinds from every call. `turn` is awaited before each request."""

    def __init__(self, settings: Settings, turn: Callable[[], Awaitable[None]]) -> None:
        """Raises ValueError when the credentials are not set."""
        if not settings.solapi_api_key or not settings.solapi_api_secret:
            raise ValueError("SOLAPI_API_KEY and SOLAPI_API_SECRET must be set to send messages")
        self._key = settings.solapi_api_key
        self._turn = turn
        self._secret = settings.solapi_api_secret.get_secret_value()
        self._http = httpx.AsyncClient(base_url=settings.solapi_base_url, timeout=TIMEOUT, limits=LIMITS)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def create_group(self, custom: Mapping[str, str]) -> str:
        """An empty PENDING group, which never sends by itself; returns its id."""
        answer = await self.call(
            "create_group",
            "POST",
            "/messages/v4/groups",
            {"allowDuplicates": True, "customFields": dict(custom)},
        )
        return _id(answer, "groupId")

    async def add(self, group_id: str, messages: bytes) -> list[dict[str, Any]]:
        """Put messages, JSON objects joined by commas, into a PENDING group; returns `resultList`, one entry
        for each."""
        path = f"/messages/v4/groups/{group_id}/messages"
        answer = await self.call("add", "PUT", path, b'{"messages":[%b]}' % messages, timeout=ADD_TIMEOUT)
        return _objects(answer.get("resultList"))

    async def send(self, group_id: str) -> None:
        """Send a group. Refused with 409 `GroupInProcessing` or `AlreadySent` means that it is sent."""
        await self.call("send", "POST", f"/messages/v4/groups/{group_id}/send", {})

    async def group(self, group_id: str) -> Group:
        answer = await self.call("group", "GET", f"/messages/v4/groups/{group_id}")
        count = answer.get("count") or {}
        sent = count.get("sentTotal") or 0 if isinstance(count, dict) else None
        if not isinstance(sent, int):
            raise NotUnderstood
        return Group(group_id, _named(answer, "status"), sent)

    async def delete(self, group_id: str) -> None:
        """Delete a PENDING group; Refused in every other state."""
        await self.call("delete", "DELETE", f"/messages/v4/groups/{group_id}")

    async def messages(
        self, group_id: str, start_key: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """One page of a group's messages and the key of the next page. A read can be stale."""
        query = {"limit": str(PAGE)} | ({"startKey": start_key} if start_key else {})
        path = f"/messages/v4/groups/{group_id}/messages"
        return _page(await self.call("messages", "GET", path, query=query))

    async def sent_between(
        self, start: datetime, end: datetime, start_key: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """One page of all messages of the account that were created in a time span."""
        query = {
            "dateType": "CREATED",
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
            "limit": str(PAGE),
        }
        query |= {"startKey": start_key} if start_key else {}
        return _page(await self.call("sent_between", "GET", "/messages/v4/list", query=query))

    async def find(self, message_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of at most PAGE messages that the provider knows, whenever they were created."""
        query = httpx.QueryParams({"limit": str(PAGE), "messageIds[]": list(message_ids)})
        return _page(await self.call("find", "GET", "/messages/v4/list", query=query))[0]

    async def upload_image(self, image: bytes, name: str) -> str:
        """Store a JPEG for MMS; returns its fileId."""
        body = {"file": base64.b64encode(image).decode(), "type": "MMS", "name": name}
        answer = await self.call("upload_image", "POST", "/storage/v1/files", body, timeout=ADD_TIMEOUT)
        return _id(answer, "fileId")

    async def template(self, template_id: str) -> dict[str, Any]:
        """An Alimtalk template as the provider has it. Refused when there is none."""
        path = f"/kakao/v2/templates/{quote(template_id, safe='')}"
        answer: dict[str, Any] = await self.call("template", "GET", path)
        _named(answer, "status")
        return answer

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        query: Mapping[str, str] | httpx.QueryParams | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        expects: type[dict[str, Any]] | type[list[Any]] = dict,
    ) -> Any:
        content = body if isinstance(body, bytes) else None
        if isinstance(body, Mapping):
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        await self._turn()
        headers = {"Authorization": self._signature(), "Content-Type": "application/json"}
        with _measured(operation) as asked:
            try:
                answer = await self._http.request(
                    method, path, content=content, params=query, headers=headers, timeout=timeout
                )
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Unreachable(type(error).__name__) from None
            except httpx.TransportError as error:
                raise Ambiguous(type(error).__name__) from None
            asked.status = answer.status_code
            return _read(answer, expects)

    def _signature(self) -> str:
        date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        salt = secrets.token_hex(16)
        digest = hmac.new(self._secret.encode(), (date + salt).encode(), hashlib.sha256).hexdigest()
        return f"HMAC-SHA256 apiKey={self._key}, date={date}, salt={salt}, signature={digest}"


@dataclass
class _Asked:
    """`status` is HTTP's; none where nothing was answered."""

    status: int | None = None


@contextmanager
def _measured(operation: str) -> Iterator[_Asked]:
    asked, outcome = _Asked(), "done"
    with metrics.PROVIDER_SECONDS.labels(operation).time(), tracing.span(f"solapi {operation}") as span:
        try:
            yield asked
        except SolapiError as error:
            outcome = "ambiguous" if isinstance(error, Ambiguous) else type(error).__name__.lower()
            raise
        finally:
            span.add(outcome=outcome, status=asked.status)
            metrics.PROVIDER.labels(operation, outcome, asked.status or "none").inc()


def _named(answer: Mapping[str, Any], field: str) -> str:
    value = answer.get(field)
    if not isinstance(value, str) or not value:
        raise NotUnderstood
    return value


def _id(answer: Mapping[str, Any], field: str) -> str:
    """An id that can stand in an address and in our tables."""
    if not _CODE.fullmatch(value := _named(answer, field)):
        raise NotUnderstood
    return value


def _objects(values: Any) -> list[dict[str, Any]]:
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise NotUnderstood
    return values


def _page(answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """Messages, and the key of the next page."""
    found, next_key = answer.get("messageList") or {}, answer.get("nextKey")
    if not isinstance(found, dict) or not isinstance(next_key, str | None):
        raise NotUnderstood
    return _objects(list(found.values())), next_key


def _read(answer: httpx.Response, expects: type[dict[str, Any]] | type[list[Any]]) -> Any:
    if answer.status_code == 429:
        raise Throttled(_retry_after(answer) or 1.0)
    if answer.status_code >= 500:
        raise Ambiguous(f"HTTP{answer.status_code}", _retry_after(answer))
    try:
        value = from_json(answer.content)
    except ValueError:
        value = None
    if answer.is_success and isinstance(value, expects):
        return value
    if answer.is_success and value is not None:
        raise NotUnderstood
    if answer.is_success:
        raise Ambiguous("UnreadableAnswer")
    code = value.get("errorCode") if isinstance(value, dict) else None
    if isinstance(code, str) and _CODE.fullmatch(code):
        raise Refused(code, answer.status_code)
    raise Refused(f"HTTP{answer.status_code}", answer.status_code, own=False)


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), RETRY_AT_MOST) if text.isdecimal() else None
