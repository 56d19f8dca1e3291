"""The sheets that the console gives to be printed are those that are read."""

import pytest

from activities.ai.tasks.omr.sheet import sheet
from api.console.omr import SHEETS, shown
from api.console.site import STATIC


@pytest.mark.parametrize("questions", SHEETS)
def test_a_sheet_to_be_printed_is_the_one_that_is_read(questions: int) -> None:
    """Mended by `python -m activities.ai.tasks.omr.sheet --questions 20 > …`."""
    assert (STATIC / "sheets" / f"answer-sheet-{questions}.pdf").read_bytes() == sheet(questions)


def test_what_is_in_doubt_is_shown_with_its_picture_where_there_is_one() -> None:
    def question(number: int, state: str) -> dict[str, object]:
        return {"number": number, "state": state, "choices": [1], "correct": None}

    asked = [question(number, state) for number, state in enumerate(("answered", "double", "faint"), 1)]
    sheet_of = {"page": "page-0012", "identifier": "12?4", "questions": asked, "score": None, "score_of": 3}
    made = shown(sheet_of, {"page-0012-question-002.png", "page-0012-identifier.png"})
    pictures = [(0, "page-0012-identifier.png"), (2, "page-0012-question-002.png"), (3, None)]
    assert (made["page"], [(each.number, each.picture) for each in made["doubts"]]) == (12, pictures)
    assert [each.state for each in made["doubts"]] == ["unread", "double", "faint"]
    (nameless,) = shown(sheet_of | {"identifier": "", "questions": []}, set())["doubts"]
    assert (nameless.number, nameless.picture) == (0, None)
