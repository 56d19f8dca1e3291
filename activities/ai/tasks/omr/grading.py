"""Points for a sheet, from the right answers in the job's `questions`."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr.judging import Mark
from activities.ai.tasks.omr.keys import field_like_a_key
from contracts.errors import OMR_ANSWERS_INVALID
from contracts.payloads import Question

_Choice = Annotated[int, Field(strict=True, ge=1)]
_Choices = Annotated[
    tuple[_Choice, ...], BeforeValidator(lambda value: [value] if isinstance(value, int) else value)
]
_Points = Annotated[Decimal, Field(ge=0, le=100_000, allow_inf_nan=False)]

_HUNDREDTH = Decimal("0.01")  # to which a part of a question's points is rounded


class Keyed(Question):
    """A question of the payload with what is right; one that has neither `answer` nor `all_of` nor
    `everybody` is not graded."""

    answer: _Choices = ()
    """Any of these counts, marked alone."""
    all_of: _Choices = ()
    """In place of `answer`: all of these, and no other."""
    points: _Points = Decimal(1)
    partial: bool = False
    """Of `all_of`: a part of the points for right choices, less one for each wrong one, never below none."""
    minus: _Points = Decimal(0)
    """What a wrong answer takes off; a blank one takes off nothing."""
    everybody: bool = False
    """All get the points, whatever they marked: the question was withdrawn."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.answer and self.all_of:
            raise ValueError("answer and all_of exclude each other")
        if len(set(self.all_of)) < len(self.all_of) or (self.partial and not self.all_of):
            raise ValueError("all_of has each choice once, and partial belongs to it")
        return self

    @property
    def counts(self) -> bool:
        return bool(self.answer or self.all_of or self.everybody)


class Answer(NamedTuple):
    """What a student did with a question: `choices` from 1, none of them if it is blank or in doubt."""

    mark: Mark
    choices: tuple[int, ...]


class Score(NamedTuple):
    """`points` is None while a question that counts is in doubt: an unread answer is not a wrong one."""

    points: Decimal | None
    of: Decimal


_QUESTIONS = TypeAdapter(list[Keyed])


def questions(parameters: Mapping[str, Any]) -> dict[int, Keyed]:
    """By number. Raises BadInput(OMR_ANSWERS_INVALID), also for right answers or points under names that are
    not ours: a sheet is not graded by half a key."""
    if field := field_like_a_key(parameters):
        raise BadInput(OMR_ANSWERS_INVALID, {"field": field})
    try:
        listed = _QUESTIONS.validate_python(parameters.get("questions") or [])
    except ValidationError:
        raise BadInput(OMR_ANSWERS_INVALID) from None
    by_number = {question.number: question for question in listed}
    if len(by_number) < len(listed):
        raise BadInput(OMR_ANSWERS_INVALID, {"questions": len(listed), "numbers": len(by_number)})
    return by_number


def correct(question: Keyed, answer: Answer) -> bool | None:
    """None if nobody can say."""
    if question.everybody:
        return True
    if not question.counts or answer.mark.doubtful:
        return None
    if question.all_of:
        return set(answer.choices) == set(question.all_of)
    return len(answer.choices) == 1 and answer.choices[0] in question.answer


def points(question: Keyed, answer: Answer) -> Decimal | None:
    """None if nobody can say."""
    right = correct(question, answer)
    if right is None:
        return None
    if right:
        return question.points
    part = _part(question, answer.choices) if question.partial else Decimal(0)
    return part or (-question.minus if answer.choices else Decimal(0))


def grade(key: Mapping[int, Keyed], answers: Sequence[Answer], choices: int) -> Score | None:
    """None if no question is graded. Raises BadInput if the key has what the sheet has not."""
    graded = {number: question for number, question in key.items() if question.counts}
    for number, question in graded.items():
        if number > len(answers) or max((*question.answer, *question.all_of), default=1) > choices:
            raise BadInput(OMR_ANSWERS_INVALID, {"question": number})
    if not graded:
        return None
    of = sum((question.points for question in graded.values()), Decimal(0))
    got = [points(question, answers[number - 1]) for number, question in graded.items()]
    known = [each for each in got if each is not None]
    return Score(sum(known, Decimal(0)) if len(known) == len(got) else None, of)


def _part(question: Keyed, choices: Sequence[int]) -> Decimal:
    right = len(set(choices) & set(question.all_of))
    share = max(0, right - (len(choices) - right))
    return (question.points * share / len(question.all_of)).quantize(_HUNDREDTH, ROUND_HALF_UP)
