"""Where everything lies on an answer sheet: millimetres from the upper left corner of the page.

Corner marks are AprilTags of the family 36h11 (Olson, 2011; in OpenCV's aruco module). Their ids tell which
sheet it is, which version and which way up. Every line of bubbles stands between two black squares, its
anchors, so that a page that is bent is still read in the right place.
"""

from itertools import combinations
from math import dist
from typing import Annotated, Self

import cv2
from pydantic import Field, model_validator

from contracts.base import Contract

TAGS = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
MARK = 12.0  # side of a corner mark
ANCHOR = 2.4  # side of an anchor
BUBBLE = 2.5  # radius of a bubble
APART = 6.9  # what the centres of two bubbles are apart at least

IDENTIFIER_DIGITS = 8
FIRST_FOREIGN_MARK = 400  # ids below are for sheets of our own

Millimetres = Annotated[float, Field(ge=0, le=450, allow_inf_nan=False)]
Point = tuple[Millimetres, Millimetres]


class Mark(Contract):
    """A corner mark by its centre, the tag's own top towards the top of the page."""

    id: int = Field(ge=0, le=586)
    x: Millimetres
    y: Millimetres


class Line(Contract):
    """Bubbles from left to right between two anchors, all by their centres."""

    left: Point
    right: Point
    bubbles: tuple[Point, ...] = Field(min_length=2, max_length=10)


class Layout(Contract):
    """`questions` holds a line for each question from number 1, its choices from 1. `digits` is empty or
    holds ten lines, for 0 to 9, with a bubble for each place of the identifier."""

    width: float = Field(ge=50, le=450)
    height: float = Field(ge=50, le=450)
    marks: tuple[Mark, Mark, Mark, Mark]
    questions: tuple[Line, ...] = Field(min_length=1, max_length=100)
    digits: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if len({mark.id for mark in self.marks}) < 4:
            raise ValueError("four different marks are needed")
        if len(self.digits) not in (0, 10) or len({len(line.bubbles) for line in self.digits}) > 1:
            raise ValueError("digits are ten lines of the same length")
        bubbles = [bubble for line in self.lines for bubble in line.bubbles]
        anchors = [anchor for line in self.lines for anchor in (line.left, line.right)]
        margin = BUBBLE + 2
        for x, y in (*bubbles, *anchors):
            if not (margin <= x <= self.width - margin and margin <= y <= self.height - margin):
                raise ValueError("a bubble or an anchor is not on the page")
        if any(dist(a, b) < APART for a, b in combinations(bubbles, 2)):
            raise ValueError(f"bubbles are closer than {APART} mm")
        return self

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.questions + self.digits


def _sheet(number: int, question_count: int) -> Layout:
    marks = [
        Mark(id=4 * number + corner, x=x, y=y)
        for corner, (x, y) in enumerate([(18, 18), (192, 18), (192, 279), (18, 279)])
    ]
    digits = [
        Line(
            left=(20, 63.0 + 7 * digit),
            right=(92.5, 63.0 + 7 * digit),
            bubbles=tuple((30 + 7.5 * place, 63.0 + 7 * digit) for place in range(IDENTIFIER_DIGITS)),
        )
        for digit in range(10)
    ]
    questions = []
    for index in range(question_count):
        x, y = 18.0 + 61 * (index // 10), 158.0 + 11 * (index % 10)
        choices = tuple((x + 14 + 8 * choice, y) for choice in range(5))
        questions.append(Line(left=(x, y), right=(x + 52, y), bubbles=choices))
    return Layout(width=210, height=297, marks=tuple(marks), questions=tuple(questions), digits=tuple(digits))


# By question count and version. A sheet that has been printed stays as it is: what changes gets a new number.
SHEETS: dict[tuple[int, int], Layout] = {
    (10, 1): _sheet(0, 10),
    (20, 1): _sheet(1, 20),
    (30, 1): _sheet(2, 30),
}
