"""Whom a class or some students stand for."""

from datetime import UTC, datetime

import pytest

from api.recipients import StudentsToTell, _each
from api.students import Known
from contracts.messaging import Draft

NOW = datetime.now(UTC)
HANA = {"name": "김하나", "parent_phone": "01010000001", "other_parent_phone": "01010000002", "grade": "2"}
DURI = {"name": "이두리", "parent_phone": "01010000003", "other_parent_phone": "01010000003"}
DURI |= {"student_phone": "01010000004", "school": "새론고"}


def told(to: str, text: str = "#{이름} #{학년}", **draft: str) -> list[tuple[str, str, dict[str, str]]]:
    chosen = [Known(n, values, None, None, NOW, NOW) for n, values in enumerate((HANA, DURI), 1)]
    wanted = StudentsToTell.model_validate({"class_id": 7, "to": to})
    return [(each.id, each.to, each.variables) for each in _each(chosen, wanted, Draft(text=text, **draft))]


def test_whose_phone_and_what_the_text_asks_for() -> None:
    """A number that both parents have is told once; who has no such phone is left out; a value that is not
    known is not given, so that what asks for it is refused as missing."""
    hana, duri = {"이름": "김하나", "학년": "2"}, {"이름": "이두리"}
    assert told("parent") == [("1", "01010000001", hana), ("2", "01010000003", duri)]
    assert [to for _, to, _ in told("parents")] == ["01010000001", "01010000002", "01010000003"]
    assert told("student", "안녕하세요.") == [("2", "01010000004", {})]
    assert told("student", "", template_id="T") == [
        ("2", "01010000004", {"이름": "이두리", "학교": "새론고"})
    ]
    assert told("student", "가", subject="#{학교}") == [("2", "01010000004", {"학교": "새론고"})]


def test_a_class_or_students_and_not_both() -> None:
    many = {"class_ids": list(range(1, 22))}
    both = ({"class_id": 7, "student_ids": [1]}, {"class_id": 7, "class_ids": [8]})
    for wrong in ({}, *both, many, {"student_ids": []}, {"class_ids": []}, {"class_id": 7, "to": "all"}):
        with pytest.raises(ValueError):
            StudentsToTell.model_validate(wrong)
    named = ({"class_id": 7}, (7,)), ({"class_ids": [8, 7, 8]}, (8, 7)), ({"student_ids": [1]}, ())
    for given, classes in named:
        assert StudentsToTell.model_validate(given).classes == classes
