"""`#{variable}` in texts, as Solapi writes it. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping

from contracts.errors import VARIABLE_MISSING, VARIABLE_UNUSED
from rules.messaging.text import replaced
from rules.messaging.unsendable import Unsendable

_VARIABLE = re.compile(r"#\{([^{}]*)\}")


def by_name(values: Mapping[str, str]) -> dict[str, str]:
    """Values by bare variable name; a key may be written `이름` or `#{이름}`."""
    return {_name(_bare(key)): value for key, value in values.items()}


def fill(text: str, values: Mapping[str, str], clean: Callable[[str, str], str]) -> str:
    """`text` with every variable replaced by its value, which goes through `clean(value, "#{name}")` first.

    What a value holds is never taken for a variable. Raises Unsendable(VARIABLE_MISSING).
    """
    return _VARIABLE.sub(lambda found: clean(_value(found, values), found[0]), text)


def as_written(texts: Iterable[str], values: Mapping[str, str]) -> dict[str, str]:
    """The values by `#{name}` exactly as the texts write it. Raises Unsendable(VARIABLE_MISSING)."""
    return {found[0]: _value(found, values) for text in texts for found in _VARIABLE.finditer(text)}


def check_used(values: Mapping[str, str], texts: Iterable[str]) -> None:
    """Raises Unsendable(VARIABLE_UNUSED) when a value is given that no text asks for."""
    unused = values.keys() - {_name(found[1]) for text in texts for found in _VARIABLE.finditer(text)}
    if unused:
        raise Unsendable(VARIABLE_UNUSED, {"variable": min(unused)})


def _bare(key: str) -> str:
    whole = _VARIABLE.fullmatch(key.strip())
    return whole[1] if whole else key


def _name(raw: str) -> str:
    return replaced(raw).strip()


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    name = _name(found[1])
    if name not in values:
        raise Unsendable(VARIABLE_MISSING, {"variable": name})
    return values[name]
