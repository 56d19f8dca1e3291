"""What the provider's answers about templates are read as."""

from typing import Any

import pytest

from contracts.alimtalk import NewAlimtalkTemplate
from rules.messaging.registered import asked, is_same, shown

ANSWER: dict[str, Any] = {
    "templateId": "KA01TP",
    "channelId": "KA01PF",
    "name": "등원",
    "status": "APPROVED",
    "content": "#{이름} 등원",
    "buttons": [{"buttonType": "WL", "buttonName": "보기", "linkMo": "https://example.com/#{번호}"}],
    "extra": None,
}


def test_what_is_shown() -> None:
    found = shown(ANSWER | {"a field of a later release": {"x": 1}})
    assert found and (found.variables, found.remark, found.remarks) == (("번호", "이름"), None, ())
    assert shown(ANSWER | {"name": None, "content": None, "buttons": None})
    nul = shown(
        ANSWER | {"name": "등\x00원", "comments": [{"isAdmin": True, "content": "\x00"}, "x", None, {}]}
    )
    assert nul and nul.name == "등\ufffd원" and nul.remark == "\ufffd"


@pytest.mark.parametrize(
    "odd",
    [
        {"templateId": None},
        {"templateId": "x" * 101},
        {"templateId": 5},
        {"name": {"x": 1}},
        {"content": ["x"]},
    ],
)
def test_what_cannot_be_read_is_left_out(odd: dict[str, Any]) -> None:
    assert shown(ANSWER | odd) is None


def test_the_same_is_known_again() -> None:
    button = {"type": "WL", "name": "보기", "link_mobile": "https://example.com/#{번호}"}
    said = {"name": " 등원 ", "content": "#{이름} 등원", "category_code": "001", "buttons": [button]}
    wanted, known = NewAlimtalkTemplate.model_validate(said), shown(ANSWER)
    assert known and is_same(known, wanted) and not is_same(known, wanted.model_copy(update={"buttons": ()}))
    assert asked(wanted, "KA01PF") == {
        "channelId": "KA01PF",
        "name": "등원",
        "content": "#{이름} 등원",
        "categoryCode": "001",
        "buttons": ANSWER["buttons"],
    }
