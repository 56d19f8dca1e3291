"""The bases of everything that travels."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

# Postgres refuses NUL in text and jsonb, UTF-8 refuses half a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BIGINT = 2**63


def is_storable(text: str) -> bool:
    return not _UNSTORABLE.search(text)


def storable(value: Any) -> Any:
    """A value of JSON, with U+FFFD for what cannot be stored: what came before that was refused may hold
    it."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(name): storable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value


def is_bigint(number: int) -> bool:
    return -_BIGINT <= number < _BIGINT


class Outside(BaseModel):
    """Whatever somebody else writes: a queue's body, a request's, a line of a file. `strict_json.decode` has
    read it, so its text can be stored; fields have lengths and ranges of their own."""

    model_config = ConfigDict(hide_input_in_errors=True)


class Message(Outside):
    """A body written by somebody else: tolerant in what is extra, exact in what is needed."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=False)


class Contract(BaseModel):
    """A value of our own between processes. New fields get defaults, so that running jobs still parse."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
