"""Right answers and points that came under another name than ours.

Payloads keep what they do not know, for a producer may be ahead of us. An answer key is the exception:
ignored, it would leave a sheet ungraded or graded with other points, and nobody would be told.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_OURS = frozenset({"answer", "all_of", "points", "partial", "minus", "everybody"})  # of a question
_OF_MARKS = ("corrections", "corrections_of")
_KEY = re.compile(r"answer|correct|solution|rightchoice|rightanswer|^key$|정답|답안|^답$")
_POINTS = re.compile(r"^(score|mark|point|weight)s?$|penalty|negativemark|partial|배점|점수|감점")
_NO_KEY = re.compile(r"(id|ids|url|type|count|sheet|name|at)$")  # answer_sheet_id, correct_count
_SHOWN = 40  # letters of a name that is told


def field_like_a_key(parameters: Mapping[str, Any]) -> str | None:
    """The first field that holds something and whose name says it belongs to a key, wherever it stands."""
    for question in _each(parameters.get("questions")):
        for name, value in question.items():
            if name not in _OURS and _holds(value) and _POINTS.search(_plain(name)):
                return name[:_SHOWN]
    questions = [
        {name: value for name, value in question.items() if name not in _OURS}
        for question in _each(parameters.get("questions"))
    ]
    others = {name: value for name, value in parameters.items() if name not in _OF_MARKS}
    fields = _fields({**others, "questions": questions})
    return next((name[:_SHOWN] for name, value in fields if _holds(value) and _is_key(name)), None)


def _is_key(name: str) -> bool:
    plain = _plain(name)
    return bool(_KEY.search(plain)) and not _NO_KEY.search(plain)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _holds(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})  # 0 may be a choice


def _each(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else ()


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Names and values at every depth; bodies have a limit of their own."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name), each
            yield from _fields(each)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each)
