"""What a container's tags say of a track: its language, and what people call it."""

import re
from collections.abc import Iterable, Mapping

from contracts.captions import name_of

# Of ISO 639-2, as containers have it, what players know by two letters.
_LANGUAGES = {
    "kor": "ko",
    "eng": "en",
    "jpn": "ja",
    "chi": "zh",
    "zho": "zh",
    "vie": "vi",
    "tha": "th",
    "rus": "ru",
    "mon": "mn",
    "uzb": "uz",
    "spa": "es",
    "fre": "fr",
    "fra": "fr",
    "ger": "de",
    "deu": "de",
}
_IN_CONTAINERS = {two: three for three, two in _LANGUAGES.items()}  # the last of each: of terminology
_LONGEST = 60  # characters of a title


def language_of(tags: Mapping[str, str]) -> str:
    """`und` where it is not said."""
    said = re.split("[-_]", str(tags.get("language", "und")).lower())[0][:3]
    return _LANGUAGES.get(said, said if said.isascii() and said.isalpha() and len(said) > 1 else "und")


def in_a_container(language: str) -> str:
    """By three letters of ISO 639-2, as an MP4 has it; `und` where there are none."""
    return _IN_CONTAINERS.get(language, language if len(language) == 3 else "und")


def title_of(tags: Mapping[str, str]) -> str:
    """As a quoted string of a playlist may hold it; empty where there is none."""
    title = "".join(c for c in str(tags.get("title", "")) if c.isprintable() and c not in '"<>')
    return title.strip()[:_LONGEST]


def label_of(tags: Mapping[str, str], others: Iterable[str]) -> str:
    """The title, else the language's name, with a number where one of the `others` has it."""
    name = title_of(tags) or name_of(language_of(tags))
    taken = set(others)
    again = 1
    while (numbered := f"{name} {again}" if again > 1 else name) in taken:
        again += 1
    return numbered
