"""A stored text becomes part of what is asked for, and nothing that happens to it later changes that."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from api.job_requests import messages_job
from api.text_templates import Kept
from contracts.messaging import Draft, SendRequest, request_of
from contracts.text_templates import TemplateName, TextTemplate

PEOPLE = [{"id": "1", "to": "01020001"}]
NAMES = TypeAdapter(TemplateName)


def kept(version: int, text: str) -> Kept:
    content = TextTemplate(text=text, subject="#{반} 안내")
    return Kept("등원", version, "staff kim", datetime.now(UTC), content)


def asked(**draft: Any) -> SendRequest:
    return SendRequest.model_validate({"draft": draft, "recipients": PEOPLE})


def test_its_words_are_in_the_request_and_the_same_request_is_the_same() -> None:
    body = asked(text_template="등원")
    first, later = (messages_job(7, body, "k", kept(*each)) for each in ((1, "#{이름} 등원"), (2, "다른 글")))
    draft = request_of("messages.send", first.payload).draft
    assert (draft.text, draft.subject, draft.text_template_version) == ("#{이름} 등원", "#{반} 안내", 1)
    assert first.payload_sha256 == later.payload_sha256 and first.job_id == later.job_id
    assert kept(1, "#{이름} #{시각}, #{이름}").variables == ["반", "시각", "이름"]


def test_a_request_without_one_has_the_hash_that_it_had() -> None:
    """Of the release before, whose `text` was always there: an Alimtalk's may be empty."""
    for draft in ({"text": "x"}, {"mode": "alimtalk", "text": "", "template_id": "T"}):
        assert messages_job(7, asked(**draft), "k").payload["draft"] == draft


@pytest.mark.parametrize("draft", [{}, {"mode": "alimtalk"}])
def test_a_text_is_not_forgotten(draft: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Draft.model_validate(draft)


@pytest.mark.parametrize(
    ("name", "good"),
    [("등원 안내", True), ("A", True), ("2.1", True), ("", False), (" a", False), ("a ", False)]
    + [(bad, False) for bad in ("a/b", "..", "a?", "a#b", "a%20", "a\n", "가" * 61)],
)
def test_names_stand_in_addresses(name: str, good: bool) -> None:
    try:
        NAMES.validate_python(name)
    except ValidationError:
        assert not good
    else:
        assert good
