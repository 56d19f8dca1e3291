"""What stands in a roster's cells, read as text. Pure."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from contracts.errors import (
    PHONE_NOT_MOBILE,
    ROSTER_DATE_INVALID,
    ROSTER_GENDER_INVALID,
    ROSTER_NAME_INVALID,
    ROSTER_TEXT_TOO_LONG,
)

Cell = str | float | bool | date | datetime | time | timedelta

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]|[\x00-\x08\x0e-\x1f\x7f]")
_NOTHING = frozenset({"", "-", "–", "—", "없음", "해당없음", "x", "X", "N/A", "n/a"})
_PHONE = re.compile(r"0?(10)-?(\d{4})-?(\d{4})", re.ASCII)
_DATE = re.compile(r"(\d{4}|\d{2})(?:[-./]|년) ?(\d{1,2})(?:[-./]|월) ?(\d{1,2})[.일]?", re.ASCII)
_DIGITS = re.compile(r"(\d{4}|\d{2})(\d{2})(\d{2})", re.ASCII)
_GENDERS = dict.fromkeys(("남", "남자", "남성", "남학생", "m", "male"), "M") | dict.fromkeys(
    ("여", "여자", "여성", "여학생", "f", "female"), "F"
)


class Invalid(Exception):
    """The cell's content is not what its column holds. `code` is one of `contracts.errors`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def text(cell: Cell) -> str:
    """One line in NFC, spaces made one, marks that nobody sees removed. Whole numbers, which spreadsheets
    hand out as floats, lose their `.0`."""
    if isinstance(cell, str):
        if not cell.isprintable():
            cell = _INVISIBLE.sub("", cell)
        return " ".join(unicodedata.normalize("NFC", cell).split())
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def phone(cell: Cell) -> str:
    """`01012345678`, also of 1012345678.0, as a spreadsheet keeps a number. Raises Invalid."""
    raw = cell if isinstance(cell, str) else text(cell)
    if plain := _PHONE.fullmatch(raw):  # what nearly all are; the library takes some 30 microseconds
        return f"0{plain[1]}{plain[2]}{plain[3]}"
    raw = text(raw)
    if raw in _NOTHING:
        return ""
    # Here, for few files need it: it takes longer to load than a small roster to read.
    from rules.messaging import phones
    from rules.messaging.unsendable import Unsendable

    try:
        return phones.mobile(raw)
    except Unsendable:
        raise Invalid(PHONE_NOT_MOBILE) from None


def looks_like_phone(cell: Cell) -> bool:
    """Whether it is written as a mobile number usually is; cheap enough for every cell of a sheet."""
    return bool(_PHONE.fullmatch(text(cell)))


def name(cell: Cell) -> str:
    """A name holds a letter, and is no longer than 50 characters. Raises Invalid."""
    written = text(cell)
    if len(written) > 50 or not (written.isalpha() or not written or any(map(str.isalpha, written))):
        raise Invalid(ROSTER_NAME_INVALID)
    return written


def day(cell: Cell) -> str:
    """An ISO date of 2011-03-05, 2011. 3. 5., 2011년 3월 5일, 20110305, 110305 or a date cell, between 1900
    and next year. Five digits are refused: they may be a spreadsheet's day count or a lost zero.
    Raises Invalid."""
    if isinstance(cell, date):
        found = cell.date() if isinstance(cell, datetime) else cell
    else:
        raw = text(cell)
        if raw in _NOTHING:
            return ""
        found = _written_day(raw)
    if not 1900 <= found.year <= date.today().year + 1:
        raise Invalid(ROSTER_DATE_INVALID)
    return found.isoformat()


def gender(cell: Cell) -> str:
    """`M` or `F`. Raises Invalid."""
    raw = text(cell)
    if raw in _NOTHING:
        return ""
    if known := _GENDERS.get(raw.casefold()):
        return known
    raise Invalid(ROSTER_GENDER_INVALID)


def within(limit: int) -> Callable[[Cell], str]:
    """Any text of at most `limit` characters."""

    def read(cell: Cell) -> str:
        written = text(cell)
        if written in _NOTHING:
            return ""
        if len(written) > limit:
            raise Invalid(ROSTER_TEXT_TOO_LONG)
        return written

    return read


def _cached(read: Callable[[Cell], str]) -> Callable[[Cell], str]:
    """For columns in which few values come again and again. Typed: 1.0 and True are equal."""
    return lru_cache(maxsize=4096, typed=True)(read)


READ: dict[str, Callable[[Cell], str]] = {
    "name": name,
    "parent_phone": phone,
    "other_parent_phone": phone,
    "parent_name": within(50),
    "student_phone": phone,
    "school": _cached(within(100)),
    "grade": _cached(within(20)),
    "class_name": _cached(within(100)),
    "gender": _cached(gender),
    "birth_date": _cached(day),
    "enrolled_on": _cached(day),
    "address": within(300),
    "memo": within(2000),
}


def _written_day(raw: str) -> date:
    parts = _DATE.fullmatch(raw) or _DIGITS.fullmatch(raw)
    if parts is None:
        raise Invalid(ROSTER_DATE_INVALID)
    year = int(parts[1])
    if len(parts[1]) == 2:
        year += 2000 if year <= date.today().year % 100 else 1900
    try:
        return date(year, int(parts[2]), int(parts[3]))
    except ValueError:
        raise Invalid(ROSTER_DATE_INVALID) from None
