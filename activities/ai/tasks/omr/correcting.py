"""Marks that a person has decided, in place of those that were read. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from activities.ai.pages import page_index
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr.judging import Mark
from contracts.errors import OMR_CORRECTION_INVALID, OMR_CORRECTION_OF_ANOTHER_FILE
from contracts.payloads import OmrCorrection

_CORRECTIONS = TypeAdapter(list[OmrCorrection])


def corrections(parameters: Mapping[str, Any], digest: str) -> list[OmrCorrection]:
    """Of the job's parameters, for the file of this SHA-256. Raises BadInput: OMR_CORRECTION_OF_ANOTHER_FILE
    for those of another file, OMR_CORRECTION_INVALID for what is none and for two of one thing, of which
    nobody knows which is meant."""
    try:
        found = _CORRECTIONS.validate_python(parameters.get("corrections") or [])
    except ValidationError:
        raise BadInput(OMR_CORRECTION_INVALID) from None
    if len({(each.page, each.question) for each in found}) < len(found):
        raise BadInput(OMR_CORRECTION_INVALID, {"corrections": len(found)})
    if found and parameters.get("corrections_of") != digest:
        raise BadInput(OMR_CORRECTION_OF_ANOTHER_FILE)
    return found


def corrected(
    results: Sequence[tuple[str, dict[str, Any]]], decided: Iterable[OmrCorrection]
) -> list[tuple[str, dict[str, Any]]]:
    """The pages with what was decided about them. Raises BadInput(OMR_CORRECTION_INVALID) for a page,
    question or choice that is not there: a correction is never lost in silence."""
    pages = {page_index(unit) + 1: (unit, dict(result)) for unit, result in results}
    for each in decided:
        if each.page not in pages:
            raise BadInput(OMR_CORRECTION_INVALID, {"page": each.page})
        result = pages[each.page][1]
        if each.question is None:
            _identify(each, result)
        else:
            _decide(each, each.question, result)
    return list(pages.values())


def _decide(correction: OmrCorrection, number: int, result: dict[str, Any]) -> None:
    choices = sorted(set(correction.choices or ()))
    if number > len(result["questions"]) or max(choices, default=1) > result["choices"]:
        raise BadInput(OMR_CORRECTION_INVALID, {"page": correction.page, "question": number})
    places = [choice - 1 for choice in choices]
    mark = Mark("answered", places[0] if len(places) == 1 else None) if places else Mark("blank")
    marks = list(result["questions"])
    marks[number - 1] = list(mark)
    result["questions"] = marks
    result["several"] = {**result.get("several", {}), str(number): places}
    result["corrected"] = sorted({*result.get("corrected", ()), number})


def _identify(correction: OmrCorrection, result: dict[str, Any]) -> None:
    digits = correction.identifier or ""
    if len(digits) != len(result["digits"]):
        raise BadInput(OMR_CORRECTION_INVALID, {"page": correction.page, "digits": len(result["digits"])})
    result["digits"] = [list(Mark("answered", int(digit))) for digit in digits]
