"""How the questions of an exam have worked, from the sheets that were read without a doubt.

Difficulty and discrimination as in classical test theory (Crocker and Algina, 1986): the part of its points
that a question brought on average, and the correlation of that with the points for all the others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import StatisticsError, correlation, fmean
from typing import NamedTuple

from activities.ai.tasks.omr.grading import Answer, Keyed, correct, points

FEWEST = 5  # sheets, below which a correlation says nothing


class Item(NamedTuple):
    """`difficulty` is from 0 (nobody) to 1 (everybody). `discrimination` is from -1 to 1, and None where all
    did the same or sheets are few. `chosen` counts every choice from 1."""

    number: int
    sheets: int
    right: int
    difficulty: float | None
    discrimination: float | None
    chosen: dict[int, int]
    blank: int
    doubtful: int


def items(key: Mapping[int, Keyed], sheets: Sequence[Sequence[Answer]]) -> list[Item]:
    """Of every question that is graded. A sheet with a doubtful answer counts for its other questions, but
    not for discrimination, which needs all of its points."""
    graded = {number: question for number, question in key.items() if question.counts}
    whole = [sheet for sheet in (_points(graded, sheet) for sheet in sheets) if sheet is not None]
    return [
        _item(question, [sheet[number - 1] for sheet in sheets], whole)
        for number, question in sorted(graded.items())
    ]


def _points(graded: Mapping[int, Keyed], sheet: Sequence[Answer]) -> dict[int, float] | None:
    got = {number: points(question, sheet[number - 1]) for number, question in graded.items()}
    known = {number: float(each) for number, each in got.items() if each is not None}
    return known if len(known) == len(got) else None


def _item(question: Keyed, answers: Sequence[Answer], whole: Sequence[Mapping[int, float]]) -> Item:
    got = [float(each) for each in (points(question, answer) for answer in answers) if each is not None]
    return Item(
        number=question.number,
        sheets=len(got),
        right=sum(correct(question, answer) is True for answer in answers),
        difficulty=round(fmean(got) / float(question.points), 3) if got and question.points else None,
        discrimination=_discrimination(question.number, whole),
        chosen=dict(sorted(Counter(choice for answer in answers for choice in answer.choices).items())),
        blank=sum(answer.mark.state == "blank" for answer in answers),
        doubtful=sum(answer.mark.doubtful for answer in answers),
    )


def _discrimination(number: int, whole: Sequence[Mapping[int, float]]) -> float | None:
    if len(whole) < FEWEST:
        return None
    here = [sheet[number] for sheet in whole]
    elsewhere = [sum(sheet.values()) - sheet[number] for sheet in whole]
    try:
        return round(correlation(here, elsewhere), 3)
    except StatisticsError:  # one of them is the same for all
        return None
