"""Points for a sheet, from the right answers in the job's `questions`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr.judging import Mark
from contracts.errors import OMR_ANSWERS_INVALID
from contracts.payloads import Question

_Choice = Annotated[int, Field(strict=True, ge=1)]


class Keyed(Question):
    """A question of the payload with its right answers (any of them counts); without one it is not graded."""

    answer: Annotated[
        tuple[_Choice, ...], BeforeValidator(lambda value: [value] if isinstance(value, int) else value)
    ] = ()
    points: float = Field(default=1, ge=0, allow_inf_nan=False)


class Score(NamedTuple):
    """`points` is None while a question that counts is in doubt: an unread answer is not a wrong one."""

    points: float | None
    of: float


_QUESTIONS = TypeAdapter(list[Keyed])


def questions(parameters: Mapping[str, Any]) -> dict[int, Keyed]:
    """By number. Raises BadInput(OMR_ANSWERS_INVALID)."""
    try:
        listed = _QUESTIONS.validate_python(parameters.get("questions") or [])
    except ValidationError:
        raise BadInput(OMR_ANSWERS_INVALID) from None
    by_number = {question.number: question for question in listed}
    if len(by_number) < len(listed):
        raise BadInput(OMR_ANSWERS_INVALID, {"questions": len(listed), "numbers": len(by_number)})
    return by_number


def correct(question: Keyed, mark: Mark) -> bool | None:
    """None if nobody can say."""
    if not question.answer or mark.doubtful:
        return None
    return mark.choice is not None and mark.choice + 1 in question.answer


def grade(key: Mapping[int, Keyed], marks: Sequence[Mark], choices: int) -> Score | None:
    """None if no question has an answer. Raises BadInput if the key has what the sheet has not."""
    graded = {number: question for number, question in key.items() if question.answer}
    for number, question in graded.items():
        if number > len(marks) or max(question.answer) > choices:
            raise BadInput(OMR_ANSWERS_INVALID, {"question": number})
    if not graded:
        return None
    of = sum(question.points for question in graded.values())
    right = {number: correct(question, marks[number - 1]) for number, question in graded.items()}
    if None in right.values():
        return Score(None, of)
    return Score(sum(graded[number].points for number, is_right in right.items() if is_right), of)
