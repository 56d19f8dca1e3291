"""How Solapi answers: JSON, `{errorCode, errorMessage}`, pages by startKey and nextKey, dates in UTC."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import dropwhile, islice
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic_core import from_json, to_json

PAGE = 20  # items unless told otherwise
PAGE_MAX = 500

T = TypeVar("T")
Json = dict[str, Any]


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        return answer({"errorCode": self.code, "errorMessage": self.message}, self.status)


def invalid(message: str) -> Refusal:
    return Refusal(400, "ValidationError", message)


def answer(data: object, status: int = 200) -> Response:
    return Response(to_json(data), status, media_type="application/json")


def parse(body: bytes) -> Json:
    """Raises:
    Refusal: it is not a JSON object.
    """
    try:
        data = from_json(body) if body else {}
    except ValueError as error:
        raise invalid("The body is not JSON.") from error
    if not isinstance(data, dict):
        raise invalid("The body is not an object.")
    return data


def limit_of(request: Request) -> int:
    """The query's `limit`, at most 500.

    Raises:
        Refusal: it is not a positive number.
    """
    given = request.query_params.get("limit", str(PAGE))
    if not given.isdecimal() or int(given) == 0:
        raise invalid("limit")
    return min(int(given), PAGE_MAX)


def paged(
    items: Iterable[T], key: Callable[[T], str], start: str | None, limit: int
) -> tuple[list[T], str | None]:
    """The page that begins with the item `start`, and the key that begins the next one."""
    if start is not None:
        items = dropwhile(lambda item: key(item) != start, items)
    head = list(islice(items, limit + 1))
    return head[:limit], key(head[limit]) if len(head) > limit else None


def iso(moment: float | None) -> str | None:
    """Seconds since 1970 as Solapi writes dates."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: object) -> float:
    """An ISO 8601 date as seconds since 1970; without an offset it is UTC.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str):
        raise ValueError("not a date")
    date = datetime.fromisoformat(text)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
