"""The printable answer sheet: `python -m activities.ai.tasks.omr.sheet --questions 20 > sheet.pdf`."""

import argparse
import sys
from io import BytesIO
from pathlib import Path

import cv2
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from activities.ai.tasks.omr.layout import (
    ANCHOR,
    BUBBLE,
    IDENTIFIER_DIGITS,
    MARK,
    SHEETS,
    TAGS,
    Layout,
    Line,
    Mark,
    Point,
)

VERSION = 1  # of the sheets that are printed now; older ones are still read

_MODULES = 8  # a tag's side, its black border included

# NanumGothic with the characters below only, embedded: not every viewer and printer has Hangul.
LABELS = Path(__file__).with_name("labels.ttf")
_FONT = "OmrLabels"
_PALE = 0.62  # grey of what is printed inside bubbles: read, but hardly seen by the reader
TITLE = "OMR 답안지"
FIELDS = ("시험", "반", "이름")
IDENTIFIER = "식별번호"
ADVICE = (
    "검은 사인펜이나 진한 연필로 칸을 가득 칠하세요.",
    "한 문항에 하나만, 고칠 때는 깨끗이 지우고 칠하세요.",
    "식별번호는 위에 숫자로 쓰고 아래에 칠하세요.",
    "모서리의 표식과 검은 네모에는 쓰지 마세요.",
    "촬영할 때는 네 모서리의 표식이 모두 보여야 합니다.",
)
GOOD, BAD = "바른 표기", "틀린 표기"


class _Paper:
    """A canvas whose y goes down, in millimetres."""

    def __init__(self, layout: Layout, title: str) -> None:
        self._file = BytesIO()
        self._height = layout.height
        self.canvas = Canvas(self._file, pagesize=(layout.width * mm, layout.height * mm), invariant=True)
        self.canvas.setTitle(title)

    def finished(self) -> bytes:
        self.canvas.showPage()
        self.canvas.save()
        return self._file.getvalue()

    def box(self, x: float, y: float, width: float, height: float, filled: bool = True) -> None:
        """By its centre."""
        corner = (x - width / 2) * mm, (self._height - y - height / 2) * mm
        self.canvas.rect(*corner, width * mm, height * mm, stroke=not filled, fill=filled)

    def circle(self, centre: Point, radius: float, filled: bool = False) -> None:
        x, y = centre
        self.canvas.circle(x * mm, (self._height - y) * mm, radius * mm, stroke=1, fill=filled)

    def line(self, start: Point, end: Point) -> None:
        (x, y), (to_x, to_y) = start, end
        self.canvas.line(x * mm, (self._height - y) * mm, to_x * mm, (self._height - to_y) * mm)

    def text(
        self, x: float, y: float, text: str, size: float, grey: float = 0, centred: bool = False
    ) -> None:
        """`y` is the middle of the capitals, `size` in points."""
        self.canvas.setFont(_FONT, size)
        self.canvas.setFillGray(grey)
        write = self.canvas.drawCentredString if centred else self.canvas.drawString
        write(x * mm, (self._height - y) * mm - size * 0.36, text)
        self.canvas.setFillGray(0)


def sheet(question_count: int) -> bytes:
    """An A4 page as PDF, for 10, 20 or 30 questions of five choices."""
    layout = SHEETS[question_count, VERSION]
    registerFont(TTFont(_FONT, LABELS))
    paper = _Paper(layout, f"{TITLE} {question_count}")
    paper.text(105, 18, TITLE, 20, centred=True)
    paper.text(105, 27, f"1~{question_count}", 9, 0.4, centred=True)
    for mark in layout.marks:
        _draw_mark(paper, mark)
    _draw_identifier(paper, layout)
    _draw_head(paper)
    paper.canvas.setLineWidth(0.25 * mm)
    for number, line in enumerate(layout.questions, 1):
        _draw_line(paper, line, [str(choice) for choice in range(1, 6)])
        x, y = line.left
        paper.text(x + 6, y, str(number), 11, centred=True)
    return paper.finished()


def _draw_mark(paper: _Paper, mark: Mark) -> None:
    bits = cv2.aruco.generateImageMarker(TAGS, mark.id, _MODULES)
    module = MARK / _MODULES
    first_x, first_y = mark.x - MARK / 2 + module / 2, mark.y - MARK / 2 + module / 2
    for row in range(_MODULES):
        for column in range(_MODULES):
            if bits[row, column] == 0:
                # A little more than a module: viewers show hairlines between boxes that only touch.
                paper.box(first_x + column * module, first_y + row * module, module + 0.02, module + 0.02)


def _draw_line(paper: _Paper, line: Line, labels: list[str]) -> None:
    for x, y in (line.left, line.right):
        paper.box(x, y, ANCHOR, ANCHOR)
    for centre, label in zip(line.bubbles, labels, strict=True):
        paper.circle(centre, BUBBLE)
        paper.text(*centre, label, 7.5, _PALE, centred=True)


def _draw_identifier(paper: _Paper, layout: Layout) -> None:
    paper.text(26.3, 43, IDENTIFIER, 10)
    paper.canvas.setLineWidth(0.25 * mm)
    for x, y in layout.digits[0].bubbles:
        paper.box(x, y - 11, 7.5, 8, filled=False)
    for digit, line in enumerate(layout.digits):
        _draw_line(paper, line, [str(digit)] * IDENTIFIER_DIGITS)


def _draw_head(paper: _Paper) -> None:
    paper.canvas.setLineWidth(0.25 * mm)
    for index, label in enumerate(FIELDS):
        y = 45.0 + 11 * index
        paper.text(103, y, label, 10)
        paper.line((116, y + 4), (190, y + 4))
    for index, sentence in enumerate(ADVICE):
        paper.text(103, 84 + 7 * index, sentence, 9)
    y = 124.0
    paper.text(103, y, GOOD, 9)
    paper.circle((124, y), BUBBLE, filled=True)
    paper.text(138, y, BAD, 9)
    for x in (159.0, 167.0, 175.0):
        paper.circle((x, y), BUBBLE)
    paper.circle((159, y), 1, filled=True)
    paper.line((165.5, y + 1.5), (168.5, y - 1.5))
    paper.circle((175, y), BUBBLE + 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m activities.ai.tasks.omr.sheet")
    parser.add_argument("--questions", type=int, choices=(10, 20, 30), required=True)
    sys.stdout.buffer.write(sheet(parser.parse_args().questions))
