"""An exam for its students, as a PDF: a page for each sheet, to be handed out."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from activities.ai.tasks.omr.classsheet import STATES, right_answer
from activities.ai.tasks.omr.grading import Keyed
from activities.ai.tasks.omr.items import Item

# NanumGothic with what is written here only, embedded: not every viewer and printer has Hangul. Renamed as
# its licence asks for (labels-OFL.txt); a test asks for each character.
FONT = Path(__file__).with_name("report.ttf")
_FONT = "OmrReport"
TITLE = "시험 성적표"
HEAD = ("문항", "학생 답", "정답", "채점", "점수", "정답률")
LABELS = ("식별번호", "점수", "등수", "반 평균", "최고 점수", "쪽", "없음", "명 중", "등", "공동", "점")
LATER = (
    "확인할 문항이 남아 있어 점수가 아직 없습니다.",
    "점수가 정해진 답안지만 세었습니다. 확인할 답안지:",
    "장",
)

_WIDTH, _HEIGHT = 210, 297  # mm, as all below
_LEFT, _TOP, _BOTTOM = 18.0, 78.0, 280.0
_ROW = 7.5  # of the table at most
_SHORT = 25  # rows, up to which one column of them is enough
_WIDE = 85.0  # a column of rows
_COLUMNS = (0.0, 11.0, 31.0, 49.0, 58.0, 73.0, _WIDE)  # of HEAD, from the left, and where the last one ends


class Place(NamedTuple):
    """Among those whose points are known: 1 is the best, and who has as many shares it."""

    place: int
    of: int
    shared: bool


def places(scores: Sequence[float | None]) -> list[Place | None]:
    """None for who has no points yet."""
    known = [score for score in scores if score is not None]
    return [
        None
        if score is None
        else Place(1 + sum(other > score for other in known), len(known), known.count(score) > 1)
        for score in scores
    ]


def write_reports(
    path: Path, sheets: Sequence[Mapping[str, Any]], key: Mapping[int, Keyed], items: Sequence[Item]
) -> None:
    """Of `sheets` as in answers.json, in their order. Nothing in doubt is told as points or as a place."""
    registerFont(TTFont(_FONT, FONT))
    canvas = Canvas(str(path), pagesize=(_WIDTH * mm, _HEIGHT * mm), invariant=True)
    canvas.setTitle(TITLE)
    scores = [sheet["score"] for sheet in sheets]
    known = [score for score in scores if score is not None]
    by_number = {item.number: item for item in items}
    for sheet, place in zip(sheets, places(scores), strict=True):
        page = _Page(canvas)
        name = sheet["identifier"] or _page_of(sheet)
        canvas.bookmarkPage(sheet["page"])
        canvas.addOutlineEntry(name, sheet["page"])
        page.head(sheet, place, known, waiting=len(scores) - len(known))
        page.table(sheet["questions"], key, by_number if len(sheets) > 1 else {})
        canvas.showPage()
    canvas.save()


class _Page:
    """Its `y` goes down, in millimetres."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas

    def head(
        self, sheet: Mapping[str, Any], place: Place | None, known: Sequence[float], waiting: int
    ) -> None:
        self._text(_LEFT, 24, TITLE, 20)
        self._text(_LEFT, 36, f"{LABELS[0]} {sheet['identifier'] or LABELS[6]} ({_page_of(sheet)})", 11)
        if place is None:
            self._text(_LEFT, 50, LATER[0], 11)
        else:
            self._text(_LEFT, 50, f"{sheet['score']:g} / {sheet['score_of']:g}{LABELS[10]}", 22)
        if place is not None and place.of > 1:
            shared = f"{LABELS[9]} " if place.shared else ""
            told = f"{LABELS[2]} {place.of}{LABELS[7]} {shared}{place.place}{LABELS[8]}"
            self._text(95, 50, told, 14)
        if len(known) > 1:
            average = f"{LABELS[3]} {fmean(known):.1f}{LABELS[10]}"
            self._text(_LEFT, 60, f"{average}    {LABELS[4]} {max(known):g}{LABELS[10]}", 10)
            if waiting:
                self._text(95, 60, f"{LATER[1]} {waiting}{LATER[2]}", 8)

    def table(
        self,
        questions: Sequence[Mapping[str, Any]],
        key: Mapping[int, Keyed],
        items: Mapping[int, Item],
    ) -> None:
        """In one column, or in two if there are many."""
        rows = len(questions) if len(questions) <= _SHORT else -(-len(questions) // 2)
        step = min(_ROW, (_BOTTOM - _TOP) / (rows + 1))
        size = min(10.0, step * 1.7)
        for first in range(0, len(questions), rows):
            x = _LEFT + (_WIDE + 4) * (first // rows)
            part = questions[first : first + rows]
            self._row(x, _TOP, HEAD, min(size, 9))
            for line, question in enumerate(part, 1):
                y = _TOP + line * step
                self._canvas.setLineWidth(0.1 * mm)
                above = (_HEIGHT - y + step / 2) * mm
                self._canvas.line(x * mm, above, (x + _WIDE) * mm, above)
                cells = _cells(question, key.get(question["number"]), items.get(question["number"]))
                self._row(x, y, cells, size)

    def _row(self, x: float, y: float, cells: Sequence[str], size: float) -> None:
        """What is too wide for its cell is written smaller."""
        for (left, right), text in zip(pairwise(_COLUMNS), cells, strict=True):
            wide = stringWidth(text, _FONT, size) / mm
            self._text(x + left, y, text, size * min(1.0, (right - left - 1) / max(wide, 1)))

    def _text(self, x: float, y: float, text: str, size: float) -> None:
        """`y` is the middle of the capitals, `size` in points."""
        self._canvas.setFont(_FONT, size)
        self._canvas.drawString(x * mm, (_HEIGHT - y) * mm - size * 0.36, text)


def _cells(question: Mapping[str, Any], asked: Keyed | None, item: Item | None) -> list[str]:
    counts = asked is not None and asked.counts
    marked = ",".join(map(str, question["choices"])) or STATES.get(question["state"], "")
    points = ""
    if asked is not None and counts:
        got = "–" if question["points"] is None else f"{question['points']:g}"
        points = f"{got}/{asked.points.normalize():f}"
    return [
        str(question["number"]),
        marked,
        right_answer(asked) if asked is not None and counts else "",
        {True: "○", False: "×", None: ""}[question["correct"]],
        points,
        "" if item is None or item.difficulty is None else f"{item.difficulty:.0%}",
    ]


def _page_of(sheet: Mapping[str, Any]) -> str:
    return f"{int(sheet['page'].removeprefix('page-'))}{LABELS[5]}"
