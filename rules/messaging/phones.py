"""Korean phone numbers, as national digits. Pure."""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException

from contracts.errors import PHONE_NOT_MOBILE, SENDER_NOT_REGISTERED
from rules.messaging.text import replaced
from rules.messaging.unsendable import Unsendable

# phonenumbers would find a number inside prose, spell letters as digits and drop a second number.
_WRITTEN = re.compile(r"\+?[\d\s().‐‑‒–—−-]+", re.ASCII)
_MOBILE = re.compile(r"010\d{8}", re.ASCII)
_USUAL = re.compile(r"010[- ]?(\d{4})[- ]?(\d{4})", re.ASCII)  # nearly all, and sixty times as fast
_NATIONWIDE = re.compile(r"1[568]\d{6}", re.ASCII)
_WITH_00 = re.compile(r"^00[ -]?82")
_AS_FLOAT = re.compile(r"(?<=^\d{10})\.0$", re.ASCII)  # a column of numbers that a program read as such
_SENDER = re.compile(rf"0\d{{8,11}}|{_NATIONWIDE.pattern}", re.ASCII)


def digits(raw: str) -> str:
    """The ASCII digits of `raw`."""
    return re.sub(r"[^0-9]", "", raw)


def mobile(raw: str) -> str:
    """`01012345678` of `010-1234-5678`, `+82 10 1234 5678`, or `1012345678` as Excel leaves it.

    Raises Unsendable(PHONE_NOT_MOBILE) for all but 010 and eight digits.
    """
    if usual := _USUAL.fullmatch(raw):
        return f"010{usual[1]}{usual[2]}"
    national = _national(raw)
    if not _MOBILE.fullmatch(national):
        raise Unsendable(PHONE_NOT_MOBILE)
    return national


@lru_cache(maxsize=1024)
def sender(raw: str) -> str:
    """A sender number: mobile, landline, 070, 080, or 1588 and its like without an area code.

    Raises Unsendable(SENDER_NOT_REGISTERED): no such number can be registered.
    """
    national = _national(raw)
    if not _SENDER.fullmatch(national):
        raise Unsendable(SENDER_NOT_REGISTERED)
    return national


def mask(number: str) -> str:
    """`010-****-5678`: what logs and lists may show. Of anything but a mobile number only stars."""
    return f"010-****-{number[-4:]}" if _MOBILE.fullmatch(number) else "****"


def _national(raw: str) -> str:
    """National digits, or nothing. The caller looks at the shape: the library's own list of valid ranges
    lags behind what is handed out (it lacks 010-5970)."""
    written = replaced(unicodedata.normalize("NFKC", raw)).strip().removeprefix("'")
    written = _WITH_00.sub("+82", _AS_FLOAT.sub("", written))
    if not _WRITTEN.fullmatch(written):
        return ""
    try:
        number = phonenumbers.parse(written, "KR")
    except NumberParseException:
        return ""
    if number.country_code != 82:
        return ""
    national = str(number.national_number)
    return national if _NATIONWIDE.fullmatch(national) else f"0{national}"
