"""Field types that the queue bodies share."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from contracts.base import Message

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class QueueMessage(Message):
    """A producer's body. It prints no field: phones, texts and passwords would end up in logs."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return ()


def _digits(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _utc(value: datetime) -> datetime:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)  # Django writes UTC when it writes no zone
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_range", "outside the years 1 to 9999 in UTC") from None


def _safe_key(key: str) -> str:
    if _CONTROL.search(key) or any(part in ("", ".", "..") for part in key.split("/")):
        raise PydanticCustomError("unsafe_key", "empty or relative segment, or a control character")
    return key


def require_prefix(key: str, prefix: str) -> None:
    """Raises the error that becomes FOREIGN_KEY_PREFIX unless `key` lies below `prefix`."""
    if not key.startswith(prefix):
        raise PydanticCustomError("foreign_key_prefix", "outside the tenant's own prefix")


# Strict: a bool is no id, and neither is 12.0. The bound is Postgres' bigint.
BigId = Annotated[int, Field(strict=True, gt=0, le=2**63 - 1)]
# Where the producers are known to write "12" as well as 12.
LooseId = Annotated[BigId, BeforeValidator(_digits)]
# A count or number, which may be 0.
LooseCount = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1), BeforeValidator(_digits)]
# An id of theirs that is only handed back.
Reference = BigId | str

# ISO 8601 or Unix seconds, as number or digits; always UTC afterwards, so that equal times are equal keys.
Timestamp = Annotated[datetime, AfterValidator(_utc)]

# 500 is the column's width. Stores take "..", but what signs or proxies URLs may resolve it.
ObjectKey = Annotated[str, Field(max_length=500), AfterValidator(_safe_key)]

BLANK_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)
