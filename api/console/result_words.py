"""What results say of themselves, in both languages: lines for a person to check, and numbers.

The tasks write them for programs, in English; what is not known here is not shown in a language that it is
not in.
"""

import re
from collections.abc import Mapping
from typing import Any

from contracts.errors import REASONS

MARKS = {
    "answered": ("표시함", "answered"),
    "blank": ("빈칸", "blank"),
    "double": ("두 개 표시", "double"),
    "faint": ("흐림", "faint"),
    "stray": ("자국", "stray"),
    "unreadable": ("읽지 못함", "unreadable"),
}
ENGINES = {"lines": ("줄 인식기", "line reader"), "tesseract": ("Tesseract", "Tesseract")}
_AT = r"(?P<at>[^:]+): "
_LEFT_OUT = {  # of a document that was read as it is written
    "pictures or files in it": "안에 든 그림·파일",
    "charts and objects of other programs": "차트나 다른 프로그램의 개체",
    "hidden comments": "숨은 설명",
    "notes in the margin": "메모",
    "films": "동영상",
    "stretches of deleted text": "변경 추적으로 지운 글",
    "marks of changed and deleted text": "변경 추적(지운 글이 섞였을 수 있음)",
}
# How a line is written, and what is said for it. `{at}` is the page or the sheet.
_REMARKS = tuple(
    (re.compile(pattern), both)
    for pattern, both in (
        (_AT + r"questions (?P<a>[\d, ]+)", ("{at}: {a}번 문항", "{at}: questions {a}")),
        (_AT + r"nothing is marked", ("{at}: 표시한 답이 없음", "{at}: nothing is marked")),
        (_AT + r"identifier", ("{at}: 수험번호", "{at}: identifier")),
        (_AT + r"the same identifier", ("{at}: 수험번호가 같음", "{at}: the same identifier")),
        (_AT + r"empty", ("{at}: 빈 쪽", "{at}: empty")),
        (_AT + r"no question was found", ("{at}: 문항을 찾지 못함", "{at}: no question was found")),
        (_AT + r"no text was found", ("{at}: 글자를 찾지 못함", "{at}: no text was found")),
        (
            _AT + r"its lines could be read in another order",
            ("{at}: 읽는 순서가 다를 수 있음", "{at}: its lines could be read in another order"),
        ),
        (
            _AT + r"the rules of table (?P<a>[\d, ]+) are unsure, and with them its cells",
            (
                "{at}: 표 {a}의 선이 불확실해 칸이 다를 수 있음",
                "{at}: the rules of table {a} are unsure, and with them its cells",
            ),
        ),
        (
            _AT + r"(?P<a>\d+) of (?P<b>\d+) lines could not be read",
            ("{at}: {b}줄 가운데 {a}줄을 읽지 못함", "{at}: {a} of {b} lines could not be read"),
        ),
        (
            _AT + r"(?P<a>\d+) lines are uncertain: (?P<b>[\d, …]+)",
            ("{at}: 불확실한 줄 {a}개 ({b}번째)", "{at}: {a} lines are uncertain: {b}"),
        ),
        (
            _AT + r"(?P<a>\d+) words of the file are not to be seen",
            ("{at}: 파일에만 있고 보이지 않는 단어 {a}개", "{at}: {a} words of the file are not to be seen"),
        ),
        (
            _AT + r"(?P<a>\d+) formulas stand there that lines cannot say",
            ("{at}: 분수나 근호가 있는 수식 {a}개", "{at}: {a} formulas with fractions or roots"),
        ),
        *(
            (
                _AT + rf"not read: (?P<a>\d+) {what}",
                (f"{{at}}: 읽지 않은 {korean} {{a}}개", f"{{at}}: not read: {{a}} {what}"),
            )
            for what, korean in _LEFT_OUT.items()
        ),
        (
            _AT + r"(?P<a>\d+) paragraphs have a number that the file does not hold: .*",
            (
                "{at}: 자동 번호가 붙은 문단 {a}개의 번호가 텍스트에 없음",
                "{at}: the numbers of {a} paragraphs are not in the text",
            ),
        ),
        (
            r"question (?P<a>.+): its region is not understood",
            ("{a}번 문항: 영역을 알 수 없음", "Question {a}: its region is not understood"),
        ),
        (
            r"question (?P<a>.+): its region is on a page that was not read",
            ("{a}번 문항: 읽지 않은 쪽에 있음", "Question {a}: its page was not read"),
        ),
        (
            r"question (?P<a>.+): its region is on a page whose words have no places",
            (
                "{a}번 문항: 한글 문서의 글에는 위치가 없어 영역을 읽을 수 없음",
                "Question {a}: the words of its page have no places",
            ),
        ),
        (
            r"question (?P<a>.+): nothing was read in its region",
            ("{a}번 문항: 영역에서 읽은 것이 없음", "Question {a}: nothing was read in its region"),
        ),
        (
            r"question numbers missing or out of order: (?P<a>.+)",
            ("빠졌거나 순서가 다른 문항 번호: {a}", "Question numbers missing or out of order: {a}"),
        ),
        (r"rows not put back: (?P<a>[\d, …]+)", ("되돌리지 않은 행: {a}", "Rows not put back: {a}")),
        (
            r"part: (?P<a>[\d.]+) to (?P<b>[\d.]+) s, as .*",
            ("{a}초부터 {b}초까지 남았습니다.", "What is left is {a} to {b} s."),
        ),
        (r"rows not taken: (?P<a>\d+)", ("가져오지 않은 행: {a}", "Rows not taken: {a}")),
        (
            r"the file is damaged: .*",
            (
                "파일이 손상되어 텍스트는 읽었지만 검색할 수 있는 PDF는 만들지 못했습니다.",
                "The file is damaged: its text was read, but no searchable PDF made of it.",
            ),
        ),
        (
            r"no text for the sound at (?P<a>\d+) to (?P<b>\d+) s",
            ("{a}–{b}초의 소리를 알아듣지 못함", "No text for the sound at {a} to {b} s"),
        ),
        (
            r"the same line several times in a row",
            ("같은 줄이 여러 번 되풀이됨", "The same line several times in a row"),
        ),
        (r".*machine.*", ("기계가 만든 내용이므로 확인해 주세요.", "Made by a machine: look it over.")),
    )
)
_UNKNOWN = "사람이 확인할 곳이 있습니다."


def remark(line: str, lang: str) -> str:
    """A line of a result's `review` in a language."""
    at, _, code = line.partition(": ")
    if code in REASONS:
        return f"{_place(at, lang)}: {getattr(REASONS[code], lang)}"
    for pattern, both in _REMARKS:
        if found := pattern.fullmatch(line):
            named = {name: value for name, value in found.groupdict().items() if value is not None}
            if "at" in named:
                named["at"] = ", ".join(_place(each, lang) for each in named["at"].split(", "))
            return both[lang != "ko"].format(**named)
    return _UNKNOWN if lang == "ko" else line


def fact(value: Any, lang: str) -> str:
    """A number of a result's `summary`, or several."""
    match value:
        case Mapping():
            return ", ".join(f"{_word(str(name), lang)} {fact(each, lang)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(fact(each, lang) for each in value) or "–"
        case bool():
            return (("예", "yes") if value else ("아니요", "no"))[lang != "ko"]
        case str():
            return _word(value, lang)
        case _:
            return str(value)


def _word(name: str, lang: str) -> str:
    both = MARKS.get(name) or ENGINES.get(name)
    return both[lang != "ko"] if both else name


def _place(name: str, lang: str) -> str:
    """`page-0003` and `page 3` as people say it; a sheet's own name as it is."""
    if found := re.fullmatch(r"page[- ]0*(\d+)", name):
        return f"{found[1]}쪽" if lang == "ko" else f"Page {found[1]}"
    return name
