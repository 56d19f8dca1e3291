"""A page's lines as what its student marked."""

from collections.abc import Set
from typing import NamedTuple

from activities.ai.tasks.omr.judging import UNREADABLE, Levels, Mark, Row, judge, judge_several, levels
from activities.ai.tasks.omr.layout import Layout
from activities.ai.tasks.omr.reading import Bubbles, Page


class Marked(NamedTuple):
    """`several` has all choices (from 0) of questions that may have more than one, by number; `digits` a mark
    for each place of the identifier, whose choice is the digit."""

    questions: list[Mark]
    several: dict[int, tuple[int, ...]]
    digits: list[Mark]
    level: Levels


def marked(page: Page, layout: Layout, several: Set[int] = frozenset()) -> Marked:
    """`several` are the numbers of questions with more than one right answer to be marked."""
    rows = [_row(line) if line else None for line in page.lines[: len(layout.questions)]]
    level = levels([row for row in rows if row], page.tone)
    judged = [_judged(row, level, number in several, page.shows_grey) for number, row in enumerate(rows, 1)]
    return Marked(
        questions=[mark for mark, _ in judged],
        several={number: choices for number, (_, choices) in enumerate(judged, 1) if number in several},
        digits=_digits(page, layout),
        level=level,
    )


def _row(line: Bubbles) -> Row:
    return Row(line.fills, line.strays, line.printed)


def _judged(row: Row | None, level: Levels, several: bool, shows_grey: bool) -> tuple[Mark, tuple[int, ...]]:
    if row is None:
        return UNREADABLE, ()
    mark, choices = judge_several(row, level) if several else (judge(row, level), ())
    if mark.state == "blank" and not shows_grey:  # it may have been marked
        return UNREADABLE, ()
    return mark, choices


def _digits(page: Page, layout: Layout) -> list[Mark]:
    lines = page.lines[len(layout.questions) :]
    if not lines:
        return []
    found = [line for line in lines if line]
    if len(found) < len(lines):  # the missing digit might be anywhere
        return [UNREADABLE] * len(layout.digits[0].bubbles)
    columns = zip(*(zip(line.fills, line.strays, line.printed, strict=True) for line in found), strict=True)
    rows = [Row(*zip(*column, strict=True)) for column in columns]
    level = levels(rows, page.tone)
    return [_judged(row, level, several=False, shows_grey=page.shows_grey)[0] for row in rows]
