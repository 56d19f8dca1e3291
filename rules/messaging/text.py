"""What a text message can carry: the characters of cp949, counted in its bytes. Pure.

Carriers count two bytes a Korean letter. `cp949` is the codec to count with: `euc_kr` lacks 8,822 of the
11,172 syllables and writes such a one, 똠 for example, in eight bytes.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

from contracts.errors import TEXT_NOT_ENCODABLE
from rules.messaging.unsendable import Unsendable

# What is pasted from Word, Excel, KakaoTalk and web pages, and what is sent instead: each character of a
# key becomes the value. What cp949 has stays as written, save controls and the soft hyphen. Printed in
# docs/messages.md.
REPLACEMENTS: dict[str, str] = {
    "\r\v\f\x85\u2028\u2029": "\n",
    "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f": " ",
    # Not visible: soft hyphen, zero width, direction marks, variation selectors, byte order mark.
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e": "",
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff": "",
    "‐‑‒–—−⁃﹣": "-",
    "•‣∙◦‧⋅・･": "·",
    "▪◾": "■",
    "▫◽": "□",
    "‹": "〈",
    "›": "〉",
    "«": "《",
    "»": "》",
    "‚‛": "'",
    "„‟": '"',
    "₩": "￦",
    "¥": "￥",
    "£": "￡",
    "¢": "￠",
    "¬": "￢",
    "〜⁓": "～",
    "✓✔": "√",
    "✕✖": "×",
    "⭐": "★",
    "❤": "♥",
    "►": "▶",
    "➜": "→",
    "⁄": "/",
    "©": "(C)",
    # NFC moves these to code points that cp949 lacks, though it has the character.
    "Å": "\u212b",
    "郎": "\uf92c",
    "隸": "\uf9b8",
}


def _plain_latin() -> dict[str, str]:
    """é → e, ắ → a, Ü → U: Latin letters whose accent cp949 does not have."""
    letters = map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)))
    bases = {letter: unicodedata.normalize("NFD", letter)[0] for letter in letters}
    return {letter: base for letter, base in bases.items() if base.isascii()}


_TABLE = str.maketrans(
    _plain_latin()
    | {character: sent for characters, sent in REPLACEMENTS.items() for character in characters}
)
# Nearly all that is written: nothing of it is replaced or composed anew, and cp949 has it.
_PLAIN = re.compile(r"[ -~가-힣\n]*")
# A lone surrogate is what JSON makes of half an emoji.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Whether it is sent as it is, whatever sends it."""
    return _PLAIN.fullmatch(text) is not None


def replaced(text: str) -> str:
    """NFC, line ends as \\n, and `REPLACEMENTS`."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).translate(_TABLE)


def clean(text: str, field: str) -> str:
    """The text as an SMS, LMS or MMS carries it.

    Raises Unsendable(TEXT_NOT_ENCODABLE) with `field`, the first such character, and its position in
    `text` as it was given (1 for the first).
    """
    return _checked(text, field, replaced, _encodable)


def clean_for_kakao(text: str, field: str) -> str:
    """The text as KakaoTalk carries it: any character but control characters. Raises like `clean`."""
    return _checked(text, field, _lines, _printable)


def size(text: str) -> int:
    """Bytes of a clean text as carriers count them."""
    return len(text.encode("cp949"))


def _lines(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return unicodedata.normalize("NFC", lines)


def _printable(text: str) -> bool:
    return _CONTROL.search(text) is None


def _encodable(text: str) -> bool:
    try:
        text.encode("cp949")
    except UnicodeEncodeError:
        return False
    return _printable(text)


def _checked(text: str, field: str, change: Callable[[str], str], sendable: Callable[[str], bool]) -> str:
    if _PLAIN.fullmatch(text):
        return text
    changed = change(text)
    if sendable(changed):
        return changed
    position, character = next(
        (start + next((i for i, own in enumerate(cluster, 1) if character in change(own)), 1), character)
        for start, cluster in _clusters(text)
        for character in change(cluster)
        if not sendable(character)
    )
    code = f"U+{ord(character):04X}"
    name = f"{character} {code}" if character.isprintable() else code
    raise Unsendable(TEXT_NOT_ENCODABLE, {"field": field, "character": name, "position": position})


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """Pieces that NFC changes independently, with their index: a character and its marks or jamo."""
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or not (
            unicodedata.combining(text[index]) or "\u1160" <= text[index] <= "\u11ff"
        ):
            yield start, text[start:index]
            start = index
