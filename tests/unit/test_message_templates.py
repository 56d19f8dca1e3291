"""Alimtalk templates as Solapi writes them, and answers of it that nobody understands."""

import asyncio
import dataclasses
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock
from uuid import uuid4

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.messaging.manifest import compared
from activities.messaging.mending import Mender
from activities.messaging.preparing import PrepareActivities
from activities.messaging.provider import TRIES, provider_errors
from activities.messaging.reporting import outcome_of
from activities.messaging.requested import read_request
from activities.messaging.sending import SendActivities
from api.console import alimtalk_templates
from clients import solapi
from clients.database.messaging_groups import GroupRow
from clients.solapi import Ambiguous, NotUnderstood, Refused, SolapiError, Throttled
from contracts.errors import (
    MESSAGE_NOT_READABLE,
    REASONS,
    TEMPLATE_MISMATCH,
    TEMPLATE_NOT_READABLE,
    VARIABLE_MISSING,
)
from contracts.messaging import Account, Composed, Draft, Recipient
from rules.messaging.compose import compose, provider_message
from rules.messaging.groups import GroupState
from rules.messaging.template import read
from rules.messaging.unsendable import Unsendable

ACCOUNT = Account(tenant_id=1, sender="0212345678", sender_numbers=frozenset({"0212345678"}), pf_id="PF01")
# https://developers.solapi.com: an ITEM_LIST with all that a template can show; `variables` are names only.
ANSWER: dict[str, Any] = {
    "templateId": "KA01",
    "name": "출결 #{이것은 이름이다}",
    "channelId": "PF01",
    "status": "APPROVED",
    "messageType": "MI",
    "emphasizeType": "ITEM_LIST",
    "content": "#{이름} 학생의 출결입니다.",
    "header": "#{학원} 알림",
    "highlight": {"title": "#{날짜}", "description": "출결", "imageId": None},
    "item": {
        "list": [{"title": "반", "description": "#{반}"}, {"title": "시각", "description": "#{시각}"}],
        "summary": {"title": "합계", "description": "#{합계}"},
    },
    "emphasizeTitle": "#{강조}",
    "emphasizeSubtitle": None,
    "extra": "#{부가}",
    "quickReplies": [{"linkType": "WL", "name": "문의", "linkMo": "https://example.com/#{문의}"}],
    "buttons": [
        {"buttonType": "WL", "buttonName": "보기", "linkMo": "https://example.com/#{링크}", "linkPc": ""},
        {"buttonType": "TN", "buttonName": "전화", "telNumber": "#{전화}", "targetOut": True},
    ],
    "variables": [{"name": "#{이름}"}],
    "commentable": False,
}
NAMES = ("이름", "학원", "날짜", "반", "시각", "합계", "강조", "부가", "문의", "링크", "전화")
VALUES = {name: f"값{number}" for number, name in enumerate(NAMES)}


def composed(values: dict[str, str], answer: dict[str, Any] = ANSWER, **draft: Any) -> Composed:
    template = read("KA01", answer)
    what = Draft(**{"mode": "alimtalk", "text": "안내"} | draft)
    return compose(what, Recipient(id="s", to="01012345678", variables=values), ACCOUNT, template, None)


def test_every_variable_that_a_template_shows_gets_its_value() -> None:
    kakao: Any = provider_message(composed(VALUES), {})["kakaoOptions"]
    assert kakao["variables"] == {f"#{{{name}}}": value for name, value in VALUES.items()}
    assert "buttons" not in kakao  # the template's own are shown


@pytest.mark.parametrize("name", NAMES)
def test_one_without_its_value_is_missed(name: str) -> None:
    with pytest.raises(Unsendable) as refusal:
        composed({each: value for each, value in VALUES.items() if each != name})
    assert (refusal.value.code, refusal.value.detail) == (VARIABLE_MISSING, {"variable": name})


def test_a_draft_may_name_the_templates_buttons() -> None:
    answer = ANSWER | {"buttons": ANSWER["buttons"][:1]}
    own = {"type": "WL", "name": "보기", "link_mobile": "https://example.com/#{링크}"}
    kakao: Any = provider_message(composed(VALUES, answer, buttons=(own,)), {})["kakaoOptions"]
    assert kakao["buttons"] == [{key: value for key, value in answer["buttons"][0].items() if value}]


def test_a_template_of_a_group_of_channels_is_the_providers_to_judge() -> None:
    group = ANSWER | {"channelId": None, "channelGroupId": "PG01", "assignType": "GROUP"}
    assert composed(VALUES, group).pf_id == "PF01"
    with pytest.raises(Unsendable) as refusal:
        composed(VALUES, ANSWER | {"channelId": "PF02"})
    assert refusal.value.code == TEMPLATE_MISMATCH


def test_a_template_needs_no_content() -> None:
    assert composed(VALUES, ANSWER | {"content": None}).variables["#{반}"] == VALUES["반"]


@pytest.mark.parametrize(
    "odd",
    [{"status": 3}, {"content": ["x"]}, {"buttons": "WL"}, {"buttons": [3]}, {"channelId": {"id": "PF01"}}],
)
def test_a_template_that_is_not_understood_has_a_reason(odd: dict[str, Any]) -> None:
    with pytest.raises(Unsendable) as refusal:
        read("KA01", ANSWER | odd)
    assert refusal.value.code == TEMPLATE_NOT_READABLE


@pytest.mark.parametrize(
    "fields", [{"sender": "0" * 50}, {"to": "1" * 50}, {"template_id": "x" * 101}, {"text": "가" * 10_001}]
)
def test_a_request_that_no_message_holds_has_a_reason(fields: dict[str, str]) -> None:
    payload = {"to": "01012345678", "text": "안내", "message_mode": "sms"} | fields
    with pytest.raises(Unsendable) as refusal:
        read_request("messaging.send", payload)
    assert refusal.value.code == MESSAGE_NOT_READABLE
    assert refusal.value.detail == {"fields": next(iter(fields))}


CLIENT = {
    "create_group": ({},),
    "add": ("G1", b""),
    "group": ("G1",),
    "messages": ("G1",),
    "find": (["M1"],),
    "upload_image": (b"", "x.jpg"),
    "template": ("KA01",),
}


@pytest.mark.parametrize("call", CLIENT)
@pytest.mark.parametrize(
    "answer",
    [[], 3, {"groupId": 3, "fileId": [], "resultList": {"a": 1}, "status": None, "messageList": [1]}],
    ids=["list", "number", "other types"],
)
async def test_an_answer_of_another_shape_is_not_understood(call: str, answer: Any) -> None:
    client = solapi.Solapi.__new__(solapi.Solapi)
    client._key, client._secret, client._turn = "k", "s", _no_turn
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    async with httpx.AsyncClient(base_url="http://solapi", transport=transport) as client._http:
        with pytest.raises(NotUnderstood):
            await getattr(client, call)(*CLIENT[call])


async def _no_turn() -> None:
    return None


@pytest.mark.parametrize("answer", [{}, {"message": "점검 중입니다"}, ANSWER | {"buttons": "WL"}, [], None])
def test_a_template_is_asked_for_again_before_it_is_not_readable(answer: Any) -> None:
    """A page of the provider's that stands there for a minute refuses nobody, and turns nobody to text."""
    client = solapi.Solapi.__new__(solapi.Solapi)
    client._key, client._secret, client._turn = "k", "s", _no_turn
    preparing, environment = PrepareActivities.__new__(PrepareActivities), ActivityEnvironment()
    preparing._solapi, preparing._default_template_id = client, None
    draft = Draft(mode="alimtalk", text="안내", template_id="KA01")

    async def ask() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
        async with httpx.AsyncClient(base_url="http://solapi", transport=transport) as client._http:
            await preparing._template(draft)

    environment.info = dataclasses.replace(environment.info, attempt=TRIES - 1)
    with pytest.raises(ApplicationError) as caught:
        asyncio.run(environment.run(ask))
    assert not caught.value.non_retryable
    environment.info = dataclasses.replace(environment.info, attempt=TRIES)
    with pytest.raises((Unsendable, ApplicationError)) as ended:
        asyncio.run(environment.run(ask))
    assert isinstance(ended.value, Unsendable) or (answer is None and not ended.value.non_retryable)


def test_what_is_no_code_is_not_repeated() -> None:
    answer = httpx.Response(400, json={"errorCode": "01012345678 은(는) 잘못된 번호", "errorMessage": ""})
    with pytest.raises(Refused) as refusal:
        solapi._read(answer, dict)
    assert (refusal.value.code, refusal.value.own) == ("HTTP400", False)


def raised(error: SolapiError, attempt: int, ends: bool) -> ApplicationError:
    def ask() -> None:
        with provider_errors(ends=ends):
            raise error

    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    with pytest.raises(ApplicationError) as caught:
        environment.run(ask)
    return caught.value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotUnderstood(), "PROVIDER_NOT_UNDERSTOOD"),
        (Refused("ValidationError", 400), "PROVIDER_REFUSED"),
        (Refused("SomethingNew", 422), "PROVIDER_REFUSED"),
        (Refused("HTTP404", 404, own=False), None),  # whoever stands between
        (Refused("NotEnoughBalance", 402), None),
        (Refused("InvalidAPIKey", 403), None),
        (Ambiguous("HTTP500"), None),
        (Ambiguous("UnreadableAnswer"), None),
        (Throttled(1), None),
    ],
)
def test_only_what_the_provider_itself_says_again_and_again_ends_a_job(
    error: SolapiError, reason: str | None
) -> None:
    for attempt, ends in ((1, True), (TRIES, False), (TRIES - 1, True)):
        assert not raised(error, attempt, ends).non_retryable
    last = raised(error, TRIES, True)
    assert last.non_retryable == bool(reason)
    assert not reason or (last.type == reason and reason in REASONS)


MINE = {"to": "01012345678", "statusCode": "2000", "messageId": "M"}


def test_results_of_others_are_not_understood() -> None:
    """Whoever is neither taken nor refused may be sent with the others, and would be called refused."""
    odd: list[dict[str, Any]] = [{"statusCode": each} for each in (None, "OK", "4000", "3000", "9" * 80, [])]
    odd += [{"messageId": each} for each in (None, "", 7, "M" * 65, ["M"])]
    for results in ([], [MINE | {"to": "01000000000"}], *([MINE | each] for each in odd)):
        with pytest.raises(ApplicationError) as caught:
            compared({0: "01012345678"}, results)
        assert caught.value.details == ("not understood",)
        assert json.dumps(caught.value.details).isascii()


def test_an_odd_report_is_no_end_and_no_error() -> None:
    """What our tables cannot hold would be read again for three days."""
    group = solapi.Group("G1", "COMPLETE", 1)
    for odd in (None, "", "OK", [], "9" * 80, "0000"):
        assert outcome_of(0, {"statusCode": odd, "type": "SMS"}, group) is None
    for kind in ("RCS_SMS", None, ["SMS"], {}):
        end = outcome_of(0, {"statusCode": "4000", "type": kind, "kakaoOptions": "x"}, group)
        assert end and (end.state, end.sent_as) == ("DELIVERED", None)
    assert outcome_of(0, {"statusCode": "3104", "type": "ATA", "kakaoOptions": []}, group)


@pytest.mark.parametrize("group_id", ["G" * 65, "../groups", "G 1", "그룹"])
async def test_an_id_that_cannot_stand_in_an_address_is_not_understood(group_id: str) -> None:
    client = solapi.Solapi.__new__(solapi.Solapi)
    client._key, client._secret, client._turn = "k", "s", _no_turn
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"groupId": group_id}))
    async with httpx.AsyncClient(base_url="http://solapi", transport=transport) as client._http:
        with pytest.raises(NotUnderstood):
            await client.create_group({})


def test_who_says_to_wait_for_ever_is_asked_again() -> None:
    answer = httpx.Response(429, headers={"Retry-After": "9" * 400})
    with pytest.raises(Throttled) as throttled:
        solapi._read(answer, dict)
    assert throttled.value.retry_after == solapi.RETRY_AT_MOST


async def test_a_preview_reads_a_template_as_sending_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alimtalk_templates, "_kept", {})
    services: Any = SimpleNamespace(
        settings=MagicMock(solapi_base_url="http://solapi", solapi_requests_per_second=50), engine=None
    )
    answers: list[Any] = [Ambiguous("HTTP500"), ANSWER | {"buttons": "WL"}, ANSWER]

    async def answer(*_: Any) -> Any:
        if isinstance(found := answers.pop(0), Exception):
            raise found
        return found

    monkeypatch.setattr(solapi.Solapi, "template", answer)
    draft = Draft(mode="both", text="안내", template_id="KA01")
    for _ in range(2):
        refusal = await alimtalk_templates.find(services, draft)
        assert isinstance(refusal, Unsendable) and refusal.code == TEMPLATE_NOT_READABLE
    for _ in range(2):  # once asked, then kept
        assert await alimtalk_templates.find(services, draft) == read("KA01", ANSWER)


@pytest.mark.parametrize("own", [True, False])
async def test_a_404_of_others_loses_no_group(own: bool) -> None:
    """A group that the provider has lost may have been sent, so nobody gets it again: that needs its word."""
    long_ago, now = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    provider: Any = MagicMock(solapi.Solapi)
    provider.group.side_effect = Refused("GroupNotFound" if own else "HTTP404", 404, own=own)
    unused: Any = None
    sending = SendActivities(unused, unused, provider, lambda: now)
    mender = Mender(
        engine=unused,
        preparing=unused,
        reporting=unused,
        solapi=provider,
        mailing=unused,
        digesting=unused,
        now=lambda: now,
    )
    row = GroupRow(7, uuid4(), 0, GroupState.COMMITTED, "G1", long_ago, None, None)
    for asked in (lambda: sending._look(row), lambda: mender._find("G1")):
        if own:
            assert await asked() is None
            continue
        with pytest.raises(Refused):
            await asked()
