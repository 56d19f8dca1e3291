"""From a draft to what the provider gets: channel, sender, substitution, template, advertising."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solapi.model.request.message import Message as SolapiMessage

from contracts import errors
from contracts.errors import REASONS
from contracts.jobs import JobState
from contracts.messaging import Account, Button, Channel, Composed, Draft, Recipient, Template
from rules.messaging.channel import Sent, as_sent
from rules.messaging.compose import LMS_BYTES, SMS_BYTES, SUBJECT_BYTES, asked_for, compose, provider_message
from rules.messaging.text import size
from rules.messaging.unsendable import Unsendable

ACCOUNT = Account(
    tenant_id=1,
    sender="02-123-4567",
    sender_numbers=frozenset({"02-123-4567", "15881234"}),
    pf_id="PF01",
    advertiser="한빛학원",
    opt_out_number="080-123-4567",
)
BUTTON = Button(type="WL", name="성적 보기", link_mobile="https://example.com/#{링크}")
TEMPLATE = Template(
    id="KA01", pf_id="PF01", status="APPROVED", content="#{이름} 학생이 등원했습니다 🙂", buttons=(BUTTON,)
)
VARIABLES = {"#{이름}": "김–철수", "링크": "abc"}
LINES = "\n무료수신거부 0801234567"


def composed(
    draft: dict[str, Any],
    variables: dict[str, str] | None = None,
    account: Account = ACCOUNT,
    template: Template | None = TEMPLATE,
    default_pf_id: str | None = None,
    to: str = "+82 10-1234-5678",
) -> Composed:
    recipient = Recipient(id="s1", to=to, variables=variables or {})
    return compose(Draft(**{"text": "안내"} | draft), recipient, account, template, default_pf_id)


def changed(**fields: Any) -> Account:
    return ACCOUNT.model_copy(update=fields)


@pytest.mark.parametrize(
    ("draft", "channel"),
    [
        ({"text": "가" * 45}, Channel.SMS),
        ({"text": "똠" * 45}, Channel.SMS),
        ({"text": "가" * 45 + "\n \n\u200b\n"}, Channel.SMS),
        ({"text": "가" * 45 + "a"}, Channel.LMS),
        ({"text": "가" * 1000}, Channel.LMS),
        ({"text": "짧게", "subject": "제목"}, Channel.LMS),
        ({"text": "짧게", "subject": " \n"}, Channel.SMS),
        ({"text": "짧게", "image_key": "t/1/a.jpg"}, Channel.MMS),
    ],
)
def test_the_channel_follows_bytes_subject_and_image(draft: dict[str, Any], channel: Channel) -> None:
    assert composed(draft).channel is channel


def test_bytes_count_after_substitution() -> None:
    draft = {"text": "#{이름}" + "가" * 43}
    assert composed(draft, {"이름": "김철"}).channel is Channel.SMS
    assert composed(draft, {"이름": "김철수"}).channel is Channel.LMS


def test_an_sms_as_solapi_takes_it() -> None:
    message = provider_message(composed({"text": "#{이름}님"}, {"이름": "철수"}), {"r": "7"})
    assert message == {
        "to": "01012345678",
        "from": "021234567",
        "text": "철수님",
        "type": "SMS",
        "country": "82",
        "autoTypeDetect": False,
        "customFields": {"r": "7"},
    }


def test_an_alimtalk_with_fallback_as_solapi_takes_it() -> None:
    draft = {"mode": "both", "text": "#{이름} 등원", "subject": "등원 안내", "buttons": (BUTTON,)}
    message = provider_message(composed(draft, VARIABLES), {})
    assert message["type"] == "ATA"
    assert (message["text"], message["subject"]) == ("김-철수 등원", "등원 안내")
    assert message["kakaoOptions"] == {
        "pfId": "PF01",
        "templateId": "KA01",
        "variables": {"#{이름}": "김–철수", "#{링크}": "abc"},
        "disableSms": False,
        "buttons": [{"buttonType": "WL", "buttonName": "성적 보기", "linkMo": "https://example.com/#{링크}"}],
    }
    # The official SDK's own model reads it and writes the same.
    assert SolapiMessage.model_validate(message).model_dump(
        by_alias=True, exclude_none=True, include={"to", "from_", "text", "subject"}
    ) == {key: message[key] for key in ("to", "from", "text", "subject")}


@pytest.mark.parametrize(
    ("text", "fallback"), [("등원", Channel.SMS), ("가" * 46, Channel.LMS), ("🙂", errors.TEXT_NOT_ENCODABLE)]
)
def test_the_fallback_is_a_text_message_by_its_own_size(text: str, fallback: str) -> None:
    try:
        assert composed({"mode": "both", "text": text}, VARIABLES).fallback is fallback
    except Unsendable as refusal:
        assert refusal.code == fallback


def test_an_alimtalk_alone_sends_no_text() -> None:
    message = composed({"mode": "alimtalk", "text": "unused 🙂"}, VARIABLES)
    sent = provider_message(message, {})
    assert message.text == "김–철수 학생이 등원했습니다 🙂"
    assert message.fallback is None
    assert "text" not in sent
    assert sent["kakaoOptions"]["disableSms"] is True  # type: ignore[index]


def test_variables_of_template_and_fallback_count_together() -> None:
    composed({"mode": "both", "text": "#{반} 등원"}, VARIABLES | {"반": "A"})
    assert asked_for(Draft(mode="both", text="#{반} 등원"), TEMPLATE) == {"이름", "링크", "반"}
    assert asked_for(Draft(text="#{반} 등원", subject="#{이름}"), TEMPLATE) == {"이름", "반"}
    for mode in ("sms", "both"):  # more than is asked for hurts nobody
        composed({"mode": mode, "text": "#{이름} 등원"}, VARIABLES | {"반": "A"})


R = pytest.param


@pytest.mark.parametrize(
    ("code", "change"),
    [
        R(errors.PHONE_NOT_MOBILE, {"to": "02-123-4567"}),
        R(errors.SENDER_MISSING, {"account": changed(sender=None)}),
        R(errors.SENDER_NOT_REGISTERED, {"draft": {"sender": "010-0000-0000"}}),
        R(errors.SENDER_NOT_REGISTERED, {"account": changed(sender_numbers=frozenset())}),
        R(errors.TEXT_EMPTY, {"draft": {"text": " \u200b\n"}}),
        R(errors.TEXT_EMPTY, {"draft": {"text": "#{x}"}, "variables": {"x": ""}}),
        R(errors.TEXT_EMPTY, {"draft": {"text": "", "advertising": True}}),
        R(errors.TEXT_TOO_LONG, {"draft": {"text": "가" * 1000 + "a"}}),
        R(errors.TEXT_TOO_LONG, {"draft": {"text": "가" * 981, "advertising": True}}),
        R(errors.SUBJECT_TOO_LONG, {"draft": {"subject": "가" * 20 + "a"}}),
        R(errors.SUBJECT_TOO_LONG, {"draft": {"subject": "가" * 20, "advertising": True}}),
        R(errors.TEXT_NOT_ENCODABLE, {"draft": {"subject": "🙂"}}),
        R(errors.VARIABLE_MISSING, {"draft": {"text": "#{이름}"}}),
        R(errors.ADVERTISER_MISSING, {"draft": {"advertising": True}, "account": changed(advertiser=" ")}),
        R(
            errors.ADVERTISER_MISSING,
            {"draft": {"advertising": True}, "account": changed(opt_out_number=None)},
        ),
        R(
            errors.ADVERTISER_MISSING,
            {"draft": {"advertising": True}, "account": changed(opt_out_number="02-123-4567")},
        ),
        R(errors.OPT_OUT_MISMATCH, {"draft": {"advertising": True, "text": "a\n무료수신거부 080-999-9999"}}),
        R(errors.OPT_OUT_MISMATCH, {"draft": {"advertising": True, "text": "무료거부 080-123-4567\n할인"}}),
        R(errors.OPT_OUT_MISMATCH, {"draft": {"advertising": True, "text": "할인 무료 수신 거부"}}),
        R(errors.OPT_OUT_MISMATCH, {"draft": {"advertising": True, "text": "무료거부 080 123 4567 9"}}),
        R(errors.OPT_OUT_MISMATCH, {"draft": {"advertising": True, "text": "무료거부 0801234567\n2"}}),
        R(errors.ADVERTISING_BY_ALIMTALK, {"draft": {"mode": "both", "advertising": True}}),
        R(errors.IMAGE_WITH_ALIMTALK, {"draft": {"mode": "both", "image_key": "a.jpg"}}),
        R(errors.CHANNEL_NOT_CONFIGURED, {"draft": {"mode": "alimtalk"}, "account": changed(pf_id=None)}),
        R(errors.TEMPLATE_MISSING, {"draft": {"mode": "alimtalk"}, "template": None}),
        R(errors.TEMPLATE_MISMATCH, {"draft": {"mode": "alimtalk", "template_id": "KA02"}}),
        R(errors.TEMPLATE_MISMATCH, {"draft": {"mode": "alimtalk"}, "account": changed(pf_id="PF02")}),
        R(
            errors.TEMPLATE_MISMATCH,
            {"draft": {"mode": "alimtalk", "buttons": (BUTTON.model_copy(update={"name": "x"}),)}},
        ),
        R(
            errors.TEMPLATE_NOT_APPROVED,
            {"draft": {"mode": "alimtalk"}, "template": TEMPLATE.model_copy(update={"status": "INSPECTING"})},
        ),
        R(
            errors.TEXT_TOO_LONG,
            {
                "draft": {"mode": "alimtalk"},
                "variables": {"이름": "가" * 1000, "링크": "a"},
            },
        ),
        R(
            errors.TEXT_NOT_ENCODABLE,
            {"draft": {"mode": "alimtalk"}, "variables": {"이름": "철수", "링크": "a\x00"}},
        ),
    ],
)
def test_refusals(code: str, change: dict[str, Any]) -> None:
    with pytest.raises(Unsendable) as refusal:
        composed(**{"draft": {}} | change)
    assert refusal.value.code == code
    assert REASONS[code].state is JobState.REJECTED_BAD_INPUT


def test_both_is_alimtalk_else_text_and_without_a_text_alimtalk() -> None:
    both = Draft(mode="both", text="등원", template_id="")
    assert as_sent(both, TEMPLATE, ACCOUNT, None) == Sent(both, TEMPLATE)
    unread = Unsendable(errors.TEMPLATE_NOT_READABLE)
    for template, code in ((None, errors.TEMPLATE_MISSING), (unread, errors.TEMPLATE_NOT_READABLE)):
        text = as_sent(both, template, ACCOUNT, None)
        assert (text.draft.mode, text.template, text.as_text_because) == ("sms", None, code)
    silent = Draft(mode="both", text=" \n")
    assert as_sent(silent, TEMPLATE, ACCOUNT, None).draft.mode == "alimtalk"
    with pytest.raises(Unsendable) as refusal:
        as_sent(silent, None, ACCOUNT, None)
    assert refusal.value.code == errors.TEMPLATE_MISSING


def test_a_tenant_without_channel_uses_the_default_one() -> None:
    message = composed({"mode": "alimtalk"}, VARIABLES, changed(pf_id=None), default_pf_id="PF01")
    assert message.pf_id == "PF01"
    assert composed({"mode": "alimtalk"}, VARIABLES, default_pf_id="PF02").pf_id == "PF01"
    with pytest.raises(Unsendable) as refusal:
        composed({"mode": "alimtalk"}, VARIABLES, default_pf_id="PF02", account=changed(pf_id="PF03"))
    assert refusal.value.code == errors.TEMPLATE_MISMATCH


def test_the_draft_chooses_among_registered_senders() -> None:
    assert composed({"sender": "1588-1234"}).sender == "15881234"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("할인", "(광고)한빛학원\n할인" + LINES),
        ("(광고)한빛학원\n할인" + LINES, "(광고)한빛학원\n할인" + LINES),
        ("(광고) [한빛학원] 할인\n무료거부: 080-123-4567\n", "(광고)[한빛학원] 할인\n무료거부: 080-123-4567"),
        ("할인\n무료수신거부 080 123 4567", "(광고)한빛학원\n할인\n무료수신거부 080 123 4567"),
        ("할인\n무료수신거부 0801234567.", "(광고)한빛학원\n할인\n무료수신거부 0801234567."),
        ("할인 (무료거부 080-123-4567)", "(광고)한빛학원\n할인 (무료거부 080-123-4567)"),
        ("할인\n(무료수신거부)0801234567", "(광고)한빛학원\n할인\n(무료수신거부)0801234567"),
        ("할인\n[무료거부] ☎080)123-4567", "(광고)한빛학원\n할인\n[무료거부] ☎080)123-4567"),
        (
            "할인\n무료수신거부번호(０８０-１２３-４５６７)!",
            "(광고)한빛학원\n할인\n무료수신거부번호(０８０-１２３-４５６７)!",
        ),
        ("(광고)[광고]《광고》할인", "(광고)한빛학원\n할인" + LINES),
        ("[광 고] 할인", "(광고)한빛학원\n할인" + LINES),
        ("한빛학원 할인", "(광고)한빛학원 할인" + LINES),
        ("한빛학원비 할인", "(광고)한빛학원\n한빛학원비 할인" + LINES),
        ("광고 공모전", "(광고)한빛학원\n광고 공모전" + LINES),
    ],
)
def test_advertising_says_so_once(written: str, sent: str) -> None:
    assert composed({"text": written, "advertising": True}).text == sent


def test_an_advertising_subject_says_so_too() -> None:
    assert composed({"advertising": True, "subject": "여름\n특강"}).subject == "(광고)여름 특강"
    assert composed({"advertising": True, "subject": "(광고) 특강"}).subject == "(광고)특강"


anything = st.text(st.characters(codec="cp949") | st.sampled_from("é–₩•😀\t\u200b#{}"), max_size=60)


@settings(max_examples=50)
@given(anything, anything, st.none() | anything, st.booleans(), st.integers(1, 60))
def test_what_is_composed_fits_its_channel_and_encodes(
    text: str, value: str, subject: str | None, advertising: bool, times: int
) -> None:
    draft = {"text": text.replace("#", "") * times + "#{x}", "advertising": advertising}
    try:
        message = composed(draft | {"subject": subject and subject.replace("#", "")}, {"x": value})
    except Unsendable as refusal:
        assert refusal.code in {
            errors.TEXT_NOT_ENCODABLE,
            errors.TEXT_TOO_LONG,
            errors.TEXT_EMPTY,
            errors.SUBJECT_TOO_LONG,
        }
        return
    limit = {Channel.SMS: SMS_BYTES, Channel.LMS: LMS_BYTES}[message.channel]
    assert 0 < size(message.text) <= limit
    assert size(message.subject or "") <= SUBJECT_BYTES
    assert (message.channel is Channel.SMS) == (size(message.text) <= SMS_BYTES and not message.subject)
    if advertising:
        assert message.text.startswith("(광고)") and message.text.endswith(LINES)
        again = composed({"text": message.text.replace("#{", ""), "advertising": True})
        assert again.text == message.text.replace("#{", "")


def test_nothing_of_a_person_is_printed() -> None:
    message = composed({"text": "#{이름}님"}, {"이름": "철수"})
    assert "철수" not in repr(message) and "0101234" not in repr(message)
