"""`#{variable}` in texts, as Solapi writes it, and the template that a provider's answer describes. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from contracts.errors import TEMPLATE_NOT_READABLE, VARIABLE_MISSING
from contracts.messaging import Button, Template
from rules.messaging.text import is_plain, replaced
from rules.messaging.unsendable import Unsendable

_VARIABLE = re.compile(r"#\{([^{}]*)\}")


# What a template shows on the phone: https://developers.solapi.com, `kakao/v2/templates`.
_SHOWN = (
    "content",
    "header",
    "highlight",
    "item",
    "emphasizeTitle",
    "emphasizeSubtitle",
    "emphasizeSubTitle",
    "extra",
    "ad",
    "buttons",
    "quickReplies",
)
_BUTTON = {
    "buttonType": "type",
    "buttonName": "name",
    "linkMo": "link_mobile",
    "linkPc": "link_pc",
    "linkAnd": "link_android",
    "linkIos": "link_ios",
}


def read(template_id: str, answer: Mapping[str, Any]) -> Template:
    """The template in the provider's answer. Raises Unsendable(TEMPLATE_NOT_READABLE) when it is none."""
    shown = [answer.get(name) for name in _SHOWN]
    try:
        return Template(
            id=template_id,
            pf_id=answer.get("channelId") or answer.get("pfId") or "",
            status=answer.get("status") or "",
            content=answer.get("content") or "",
            buttons=tuple(_buttons(answer.get("buttons") or ())),
            of_group=answer.get("assignType") == "GROUP" or bool(answer.get("channelGroupId")),
            texts=tuple(text for text in dict.fromkeys(_strings(shown)) if _VARIABLE.search(text)),
        )
    except (ValidationError, TypeError, AttributeError):
        pass
    raise Unsendable(TEMPLATE_NOT_READABLE)


def _buttons(found: Iterable[Mapping[str, Any]]) -> Iterator[Button]:
    """Those that a draft can name too. The provider shows the others as well."""
    for each in found:
        fields = {ours: each.get(theirs) or None for theirs, ours in _BUTTON.items()}
        try:
            yield Button.model_validate(fields)
        except ValidationError:
            continue


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def by_name(values: Mapping[str, str]) -> dict[str, str]:
    """Values by bare variable name; a key may be written `이름` or `#{이름}`."""
    return {_key(key): value for key, value in values.items()}


class Parsed:
    """A text taken apart once, for all who get it: what stands there, and the variables between."""

    def __init__(self, text: str) -> None:
        self._parts = _VARIABLE.split(text)
        self._slots = [(place, _name(self._parts[place])) for place in range(1, len(self._parts), 2)]

    def fill(self, values: Mapping[str, str], clean: Callable[[str, str], str]) -> str:
        """The text with every variable replaced by its value, which goes through `clean(value, "#{name}")`
        first. What a value holds is never taken for a variable. Raises Unsendable(VARIABLE_MISSING)."""
        if not self._slots:
            return self._parts[0]
        parts = self._parts.copy()
        for place, name in self._slots:
            value = _value(name, values)
            parts[place] = value if is_plain(value) else clean(value, f"#{{{self._parts[place]}}}")
        return "".join(parts)


class Asked:
    """The variables of several texts, exactly as they write them."""

    def __init__(self, texts: Iterable[str]) -> None:
        found = (each for text in texts for each in _VARIABLE.finditer(text))
        self._names = {each[0]: _name(each[1]) for each in found}

    def values(self, values: Mapping[str, str]) -> dict[str, str]:
        """By `#{name}`. Raises Unsendable(VARIABLE_MISSING)."""
        return {written: _value(name, values) for written, name in self._names.items()}


def names(texts: Iterable[str]) -> frozenset[str]:
    """The variables that texts ask for."""
    return frozenset(_name(found[1]) for text in texts for found in _VARIABLE.finditer(text))


@lru_cache(maxsize=1024)  # a list has the same keys ten thousand times
def _key(key: str) -> str:
    whole = _VARIABLE.fullmatch(key.strip())
    return _name(whole[1] if whole else key)


def _name(raw: str) -> str:
    return replaced(raw).strip()


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise Unsendable(VARIABLE_MISSING, {"variable": name})
    return values[name]
