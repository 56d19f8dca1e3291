"""Looks for a person's data wherever a stack keeps anything: logs, Temporal's database, Postgres."""

import base64
import itertools
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
from psycopg import sql

from devstack.stack import Stack

_COUNTRY = "82"
_PIECE = 8  # bytes; no form is shorter


def find(stack: Stack, *canaries: str) -> list[str]:
    """Where any of them stands, in any of its forms: `log bridge.log`, `temporal history_node.data`,
    `postgres jobs.result`; empty if nowhere. A canary of digits is taken for a Korean phone number.

    The stack runs meanwhile. Queues are left out: bodies lie there as they came.
    """
    wanted = {form for canary in canaries for form in forms(canary)}
    pieces = _pieces(wanted)
    places = itertools.chain(_logs(stack), _temporal(stack), _postgres(stack))
    return sorted(
        {
            place
            for place, data in places
            if any(piece in data for piece in pieces) and any(form in data for form in wanted)
        }
    )


def _pieces(wanted: set[bytes]) -> list[bytes]:
    """A few short pieces: each form holds one of them. There are megabytes to look through."""
    left, pieces = wanted, []
    while left:
        shared = Counter(
            part for form in left for part in {form[n : n + _PIECE] for n in range(len(form) - _PIECE + 1)}
        )
        pieces.append(max(shared, key=lambda part: (shared[part], part)))
        left = {form for form in left if pieces[-1] not in form}
    return pieces


def forms(canary: str) -> set[bytes]:
    """The bytes to look for: every spelling in UTF-8 and UTF-16, as escaped JSON, in URLs, hex and base64."""
    found: set[bytes] = set()
    for text in _spellings(canary):
        utf8 = text.encode()
        found |= {utf8, text.encode("utf-16-le"), text.encode("utf-16-be")}
        escaped = json.dumps(text)[1:-1]
        found |= {escaped.encode(), json.dumps(escaped)[1:-1].encode(), quote(text).encode()}
        found |= {json.dumps(text, ensure_ascii=False)[1:-1].encode()}
        for raw in (utf8, text.encode("utf-16-le"), text.encode("cp949", "replace"), escaped.encode()):
            found |= {raw.hex().encode(), raw.hex().upper().encode(), *_base64(raw)}
    return found


def _spellings(canary: str) -> set[str]:
    digits = re.sub(r"\D", "", canary)
    if re.sub(r"[\d\s.+-]", "", canary) or not re.fullmatch(r"0\d{9,10}", digits):
        return {canary}
    groups = digits[:3], digits[3:-4], digits[-4:]
    country = _COUNTRY + digits[1:]
    spaced = " ".join((groups[0][1:], *groups[1:]))
    return {
        canary,
        digits,
        country,
        *(mark.join(groups) for mark in "- ."),
        f"+{country}",
        f"+{_COUNTRY} {spaced}",
        f"+{_COUNTRY} {spaced.replace(' ', '-')}",
        f"+{_COUNTRY}-{spaced.replace(' ', '-')}",
    }


def _base64(raw: bytes) -> Iterator[bytes]:
    """The part of its base64 that stays the same whatever stands before and after, at each alignment."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + raw)
            end = len(text.rstrip(b"="))
            first = -(-before * 8 // 6)  # characters that hold bits of what stands before
            last = end if (before + len(raw)) % 3 == 0 else end - 1
            yield text[first:last]


def _logs(stack: Stack) -> Iterator[tuple[str, bytes]]:
    for path in sorted(stack.data_dir.rglob("*.log*")):
        if path.is_file():
            yield f"log {path.name}", path.read_bytes()


def _temporal(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """The files as they are, with what was deleted, and every value: a long one is scattered in the file."""
    folder = stack.data_dir / "temporal"
    for path in sorted(folder.glob("temporal.db*")):
        yield f"temporal {path.name}", path.read_bytes()
    connection = sqlite3.connect(f"file:{folder / 'temporal.db'}?mode=ro", uri=True, timeout=30)
    try:
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT * FROM "{table.decode()}"')
            names = [each[0] for each in rows.description]
            for name, values in zip(names, zip(*rows, strict=True), strict=False):  # no rows, no columns
                value = b"\n".join(each for each in values if isinstance(each, bytes))
                yield f"temporal {table.decode()}.{name}", value
    finally:
        connection.close()


def _postgres(stack: Stack) -> Iterator[tuple[str, bytes]]:
    url = stack.settings().database_url().set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
        for table, column in columns:
            value = sql.SQL("SELECT {}::text FROM {}").format(sql.Identifier(column), sql.Identifier(table))
            values = (text for (text,) in connection.execute(value) if text is not None)
            yield f"postgres {table}.{column}", "\n".join(values).encode()
