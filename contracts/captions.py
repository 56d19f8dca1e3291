"""Captions of a lecture, between processes."""

from enum import StrEnum

LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"
"""Of BCP 47 what players tell apart: `ko`, `en`, `zh-Hans`."""


class Origin(StrEnum):
    """Where captions are from: a file that somebody has put there, a model that has listened, a track of the
    lecture's source."""

    UPLOADED = "UPLOADED"
    MACHINE = "MACHINE"
    EMBEDDED = "EMBEDDED"


MADE_BY_A_MACHINE = {"ko": "기계가 만든 자막", "en": "made by a machine"}
"""What the name of such captions says besides, by their language; English where it is none of these."""

NAMES = {
    "ko": "한국어",
    "en": "English",
    "ja": "日本語",
    "zh": "中文",
    "vi": "Tiếng Việt",
    "th": "ไทย",
    "ru": "Русский",
    "mn": "Монгол",
    "uz": "Oʻzbekcha",
    "es": "Español",
    "fr": "Français",
    "de": "Deutsch",
}
"""Languages by their own names."""


def name_of(language: str, origin: Origin = Origin.UPLOADED) -> str:
    """What a player lists where nobody has said a name."""
    first = language.split("-")[0]
    name = NAMES.get(first, language)
    if origin is Origin.MACHINE:
        return f"{name} ({MADE_BY_A_MACHINE.get(first, MADE_BY_A_MACHINE['en'])})"
    return name
