"""What stands in a roster's cells, read as text. Pure."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from contracts.errors import (
    PHONE_NOT_MOBILE,
    ROSTER_DATE_INVALID,
    ROSTER_DITTO,
    ROSTER_GENDER_INVALID,
    ROSTER_NAME_INVALID,
    ROSTER_ROW_MISPLACED,
    ROSTER_TEXT_TOO_LONG,
)
from rules.roster.signs import (
    FILLERS,
    is_class,
    is_ditto,
    is_garbled,
    is_grade,
    is_made_day,
    is_more_than_a_name,
    is_nobody,
    is_nobodys_number,
    is_school,
    is_two_names,
)

Cell = str | float | bool | date | datetime | time | timedelta

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]|[\x00-\x08\x0e-\x1f\x7f]")
_NOTHING = frozenset({"", "-", "–", "—", "없음", "해당없음", "x", "X", "N/A", "n/a"})
_PHONE = re.compile(r"0?(10)-?(\d{4})-?(\d{4})", re.ASCII)
_HANGUL = re.compile("[가-힣]+")
_DATE = re.compile(r"(\d{4}|\d{2})(?:[-./]|년) ?(\d{1,2})(?:[-./]|월) ?(\d{1,2})[.일]?", re.ASCII)
_WEEKDAYS = "월화수목금토일"
_WEEKDAY = re.compile(rf" ?\(([{_WEEKDAYS}])(?:요일)?\)$")
_MIDNIGHT = re.compile(r"[ T]0{1,2}:00(?::00(?:\.0+)?)?$", re.ASCII)
_DIGITS = re.compile(r"(\d{4}|\d{2})(\d{2})(\d{2})", re.ASCII)
# In any column, a mobile number beside other words.
_PHONE_WITHIN = re.compile(r"(?<!\d)0?1[016789][-. ]?\d{3,4}[-. ]?\d{4}(?!\d)", re.ASCII)
# Written where a name is not known, or under the last one.
_NO_NAMES = {
    *("n/a", "na", "nan", "null", "none", "nil", "undefined", "unknown", "true", "false", "x", "참", "거짓"),
    *(
        "없음",
        "해당없음",
        "이름없음",
        "미정",
        "미상",
        "미입력",
        "불명",
        "무명",
        "모름",
        "공란",
        "이하여백",
        "끝",
    ),
    *("예", "예시", "작성예", "작성예시", "입력예시", "샘플", "견본", "example", "sample"),
    *("퇴원", "휴원", "퇴소", "탈퇴", "대기", "취소", "삭제"),
}
_TOTALS = {
    *("계", "합계", "총계", "소계", "총합계", "누계", "합", "총원", "총인원", "인원", "평균"),
    *("total", "sum", "subtotal", "grandtotal"),
}
_TWO_NAMES = re.compile(r"[,;/|&+?\ufffd]|[^\W\d]\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]\s*[^\W\d]")
_EARLIEST = 1920  # a date cell of almost nothing is of the year 1900
_LIFETIME = 70  # years for which a year of two digits can be of the last century
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
        return _somebodys(f"0{plain[1]}{plain[2]}{plain[3]}")
    raw = text(raw)
    if raw in _NOTHING:
        return ""
    if is_ditto(raw):
        raise Invalid(ROSTER_DITTO)
    raw = raw.lstrip("'")  # how a number was kept a text in Excel
    # Here, for few files need it: it takes longer to load than a small roster to read.
    from rules.messaging import phones
    from rules.messaging.unsendable import Unsendable

    try:
        found = phones.mobile(raw)
    except Unsendable:
        raise Invalid(PHONE_NOT_MOBILE) from None
    return _somebodys(found)


def _somebodys(number: str) -> str:
    if number[3] == number[10] and is_nobodys_number(number):
        raise Invalid(PHONE_NOT_MOBILE)
    return number


def looks_like_phone(cell: Cell) -> bool:
    """Whether it is written as a mobile number usually is; cheap enough for every cell of a sheet."""
    return bool(_PHONE.fullmatch(text(cell)))


def holds_phone(written: str) -> bool:
    """Whether a mobile number is somewhere in a text."""
    return bool(_PHONE_WITHIN.search(written))


def name(cell: Cell) -> str:
    """One person's: a text with a letter, at most 50 characters, and nothing that stands for no name, a sum,
    a number or two names. Raises Invalid."""
    if not isinstance(cell, str):
        raise Invalid(ROSTER_NAME_INVALID)
    written = FILLERS.sub("", text(cell)).strip()
    plain = written.isalpha()
    if len(written) > 50 or not (plain or not written or any(map(str.isalpha, written))):
        raise Invalid(ROSTER_NAME_INVALID)
    if is_ditto(written):
        raise Invalid(ROSTER_DITTO)
    bare = written.replace(" ", "").casefold()
    if bare in _NO_NAMES or bare in _TOTALS or is_nobody(written):
        raise Invalid(ROSTER_NAME_INVALID)
    hangul = bool(_HANGUL.fullmatch(written))
    if hangul and len(written) < 4:  # what nearly all are
        return written
    if (
        (
            written
            and not plain
            and (
                _TWO_NAMES.search(cell.strip())
                or is_two_names(written)
                or written[0] == "#"
                or _digits(written) > 6
            )
        )
        or is_more_than_a_name(written)
        or (not hangul and is_garbled(written))
    ):
        raise Invalid(ROSTER_NAME_INVALID)
    return written


def is_total(cell: Cell) -> bool:
    """Whether a row of this name is a sum of those above."""
    return text(cell).strip(" .:()[]-").replace(" ", "").casefold() in _TOTALS


def parents_name(cell: Cell) -> str:
    """Blank, or a name of at most 50 characters that is no number. Raises Invalid."""
    written = FILLERS.sub("", text(cell)).strip()
    if written in _NOTHING:
        return ""
    if is_ditto(written):
        raise Invalid(ROSTER_DITTO)
    if len(written) > 50:
        raise Invalid(ROSTER_TEXT_TOO_LONG)
    if _digits(written) > 6:
        raise Invalid(ROSTER_NAME_INVALID)
    return written


def full_name(family: Cell, given: str) -> str:
    """Of two columns. Raises Invalid where one may hold it all, or a gender (성, for 성별)."""
    written = name(family)
    if not written or written.casefold() in _GENDERS or given.casefold().startswith(written.casefold()):
        raise Invalid(ROSTER_NAME_INVALID)
    return written + given if _HANGUL.fullmatch(written + given) else f"{written} {given}"


def day(cell: Cell) -> str:
    """An ISO date of 2011-03-05, 2011. 3. 5., 2011년 3월 5일, 20110305, 110305 or a date cell, between 1920
    and next year. What could be another day is refused: five digits (a day count, a lost zero), 03/05/11
    (whose order nobody knows), a year of two digits which this century has not reached and the last one had
    too long ago. Raises Invalid."""
    return _day(cell, date(date.today().year + 1, 12, 31))


def birthday(cell: Cell) -> str:
    """A `day` that has been. Raises Invalid."""
    # A program that takes Korean time for another one writes 23:59:08, or 15:00, of the day before.
    if isinstance(cell, datetime) and cell.time() != time():
        raise Invalid(ROSTER_DATE_INVALID)
    return _day(cell, date.today())


def _day(cell: Cell, latest: date) -> str:
    if isinstance(cell, date):
        found = cell.date() if isinstance(cell, datetime) else cell
    else:
        raw = unicodedata.normalize("NFKC", text(cell))
        if raw in _NOTHING:
            return ""
        if is_ditto(raw):
            raise Invalid(ROSTER_DITTO)
        weekday = _WEEKDAY.search(raw)
        found = _written_day(_MIDNIGHT.sub("", raw[: weekday.start()] if weekday else raw), latest)
        if weekday and _WEEKDAYS[found.weekday()] != weekday[1]:
            raise Invalid(ROSTER_DATE_INVALID)
    if found.year < _EARLIEST or found > latest:
        raise Invalid(ROSTER_DATE_INVALID)
    return found.isoformat()


def _digits(written: str) -> int:
    return sum(map(str.isdigit, written))


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
        if is_ditto(written):
            raise Invalid(ROSTER_DITTO)
        return written

    return read


def unlike(read: Callable[[Cell], str], *others: Callable[[str], bool]) -> Callable[[Cell], str]:
    """What `read` reads, unless it is what another column holds: two cells may have changed places."""

    def read_own(cell: Cell) -> str:
        written = read(cell)
        if any(other(written) for other in others):
            raise Invalid(ROSTER_ROW_MISPLACED)
        return written

    return read_own


def _cached(read: Callable[[Cell], str]) -> Callable[[Cell], str]:
    """For columns in which few values come again and again. Typed: 1.0 and True are equal."""
    return lru_cache(maxsize=4096, typed=True)(read)


READ: dict[str, Callable[[Cell], str]] = {
    "name": name,
    "parent_phone": phone,
    "other_parent_phone": phone,
    "parent_name": parents_name,
    "student_phone": phone,
    "school": _cached(unlike(within(100), is_grade, holds_phone)),
    "grade": _cached(unlike(within(20), is_school, is_class, is_made_day, holds_phone)),
    "class_name": _cached(unlike(within(100), is_made_day, holds_phone)),
    "gender": _cached(gender),
    "birth_date": _cached(birthday),
    "enrolled_on": _cached(day),
    "address": within(300),
    "memo": within(2000),
}


def _written_day(raw: str, latest: date) -> date:
    parts = _DATE.fullmatch(raw) or _DIGITS.fullmatch(raw)
    if parts is None:
        raise Invalid(ROSTER_DATE_INVALID)
    year = int(parts[1])
    if len(parts[1]) == 2:
        year += 2000 if 2000 + year <= latest.year else 1900
        if "/" in raw or year < latest.year - _LIFETIME:
            raise Invalid(ROSTER_DATE_INVALID)
    try:
        return date(year, int(parts[2]), int(parts[3]))
    except ValueError:
        raise Invalid(ROSTER_DATE_INVALID) from None
