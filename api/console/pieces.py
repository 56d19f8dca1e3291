"""Large JSON of ours, read piece by piece.

The parser of the standard library and the decoder of UTF-8 hold the interpreter until they are done: for
tenths of a second with a whole result, and nobody else is answered meanwhile, whatever thread it is in.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

_JSON = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
ENDS = frozenset(",]}: \t\n\r")
CHUNK = 2**18  # bytes that are decoded at once


def pieces(content: bytes, name: str | None = None) -> Iterator[Any]:
    """The elements of a list, or of the list that an object has under `name`. Raises ValueError for what is
    neither."""
    reader = _Reader(content)
    if name is not None:
        reader.go_to(name)
    reader.take("[")
    while reader.sign() != "]":
        yield reader.value()
        if reader.sign() != "]":
            reader.take(",")


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._taken, self._chunk = 0, CHUNK
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at = "", 0

    def sign(self) -> str:
        """The next one that is no blank; empty at the end."""
        while True:
            found = _BLANK.match(self._text, self._at)
            assert found
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, sign: str) -> None:
        if self.sign() != sign:
            raise ValueError(f"no {sign} where one belongs")
        self._at += 1

    def value(self) -> Any:
        self.sign()
        while True:
            try:
                value, end = _JSON.raw_decode(self._text, self._at)
            except ValueError:  # it may have come in part
                if not self._more():
                    raise
                continue
            if self._text[end : end + 1] in ENDS or not self._more():  # a number may go on
                self._at = end
                self._chunk = CHUNK
                return value

    def go_to(self, name: str) -> None:
        """The value that an object has under `name`."""
        self.take("{")
        while self.sign() == '"':
            found = self.value()
            self.take(":")
            if found == name:
                return
            self.value()
            if self.sign() == ",":
                self.take(",")
        raise ValueError(f"no {name}")

    def _more(self) -> bool:
        part = self._content[self._taken : self._taken + self._chunk]
        if not part:
            return False
        self._taken += len(part)
        self._chunk *= 2  # of a value that is larger than that, or it would be read again and again
        last = self._taken == len(self._content)
        self._text, self._at = self._text[self._at :] + self._decoder.decode(part, last), 0
        return True
