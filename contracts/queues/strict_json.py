"""JSON as two readers cannot differ about it, and as Postgres can keep it."""

import json
import math
from typing import Any, NoReturn

from contracts.base import is_bigint, is_storable
from contracts.queues.poison import Poison, PoisonCode

MAX_DEPTH = 32  # far above any real body, far below what recursion in json and pydantic survives
MAX_VALUES = 120_000  # what 1,000 recipients with 100 variables each have


def decode(body: str | bytes) -> Any:
    """The value in a text of JSON, in UTF-8 where it is bytes: no key twice in an object, no NaN, nothing
    that cannot be stored. Raises Poison, and nothing else."""
    try:
        text = body.decode() if isinstance(body, bytes) else body
        if _values(text) > MAX_VALUES:
            raise Poison(PoisonCode.TOO_LARGE, f"more than {MAX_VALUES} values")
        value = _DECODER.decode(text)
    except RecursionError:
        poison = Poison(PoisonCode.TOO_DEEP, f"nested deeper than {MAX_DEPTH}")
    except ValueError:  # not UTF-8, a syntax error, or an integer of more digits than Python converts
        poison = Poison(PoisonCode.NOT_JSON, "body is not JSON")
    else:
        # Of UTF-8 only an escape can be a NUL or half a pair, and what opens little is not deep: most lines
        # of a list need no second look.
        opened = text.count("[") + text.count("{")
        if isinstance(body, str) or "\\u" in text or opened > MAX_DEPTH:
            require_sound(value)
        return value
    raise poison


def require_sound(value: Any) -> None:
    """Raises Poison for what is nested too deep, cannot be stored, or is no number of JSON."""
    _check(value, MAX_DEPTH)


def require_bigints(value: Any) -> None:
    """Raises Poison for a whole number that Postgres' bigint does not hold."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case int() as number if not is_bigint(number):
                raise Poison(PoisonCode.INVALID_FIELD, "a whole number is beyond 64 bits")
            case dict() as found:
                waiting += found.values()
            case list() as found:
                waiting += found


def _values(text: str) -> int:
    """How many values there are at most, without making them: a text of commas is no value of many."""
    count = _marks(text)
    if count <= MAX_VALUES:
        return count
    quoted = text.replace("\\\\", "").replace('\\"', "")
    strings = quoted.count('"') // 2
    return strings if strings > MAX_VALUES else _marks("".join(quoted.split('"')[::2]))


def _marks(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):  # two readers could see two tenants
        raise Poison(PoisonCode.DUPLICATE_KEY, "a key appears twice in one object")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Poison(PoisonCode.NOT_JSON, "a number is out of range")
    return value


def _no_constant(text: str) -> NoReturn:
    raise Poison(PoisonCode.NOT_JSON, "NaN and Infinity are not JSON")


# Made once: `json.loads` makes one for each line of a list.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_constant)


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str) and not is_storable(value):
        raise Poison(PoisonCode.UNSTORABLE_TEXT, "a text holds NUL or half a surrogate pair")
    if isinstance(value, float) and not math.isfinite(value):  # Python reads NaN and 1e999 as JSON
        raise Poison(PoisonCode.NOT_JSON, "a number is out of range")
    if isinstance(value, (dict, list)):
        if depth == 0:
            raise Poison(PoisonCode.TOO_DEEP, f"nested deeper than {MAX_DEPTH}")
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(item, depth - 1)
