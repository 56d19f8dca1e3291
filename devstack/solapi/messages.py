"""One message: checked at registration, and what it looks like at a moment."""

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from math import inf
from typing import Any

from devstack.solapi.answers import Json, invalid, iso
from devstack.solapi.carriers import ACCEPTED, AT_CARRIER, MEANINGS, PRICES, TYPES, Step, fate

ACCOUNT = "12925149"

SMS_BYTES, LMS_BYTES, SUBJECT_BYTES = 90, 2000, 40
FIELD_KEY, FIELD_VALUE = 30, 100

_TEXT, _OBJECT = (str, type(None)), (dict, type(None))
_KINDS = (
    ("text", _TEXT),
    ("subject", _TEXT),
    ("imageId", _TEXT),
    ("customFields", _OBJECT),
    ("kakaoOptions", _OBJECT),
)
_VARIABLE = re.compile(r"#\{[^}]*\}")
# What of a template is on the phone.
_SHOWN = (
    "content",
    "header",
    "highlight",
    "item",
    "emphasizeTitle",
    "emphasizeSubtitle",
    "extra",
    "ad",
    "buttons",
    "quickReplies",
)
# Numbers that take no text: paid services, paging, nationwide and free ones. 050 leads to a mobile phone.
_DEAF = re.compile(r"060|0130|030|080|1[568]\d{6}$")
_BUTTON = ("buttonType", "buttonName")


@dataclass
class Account:
    """What Solapi knows about the customer."""

    senders: set[str]
    templates: dict[str, Json] = field(default_factory=dict)
    channels: dict[str, Json] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Message:
    id: str
    group_id: str
    body: Json
    to: str
    sender: str
    text: str
    type: str
    code: str  # at registration: 2000 or 1xxx
    created: float
    fallback: str | None = None
    template_fits: bool = True
    sent: float = inf
    journey: tuple[Step, ...] = ()

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body.get("customFields") or {}

    def at(self, moment: float) -> Step:
        found = Step(0, self.code, self.type)
        for step in self.journey:
            if self.sent + step.after > moment:
                break
            found = step
        return found

    @property
    def reported(self) -> float:
        """When its last code comes; never for one that gets no report."""
        return self.sent + self.journey[-1].after if len(self.journey) > 1 else inf

    def result(self) -> Json:
        """Its line of `resultList`."""
        line = {
            "to": self.to,
            "from": self.sender,
            "type": self.type,
            "country": self.body.get("country", "82"),
            "messageId": self.id,
            "statusCode": self.code,
            "statusMessage": MEANINGS[self.code],
            "accountId": ACCOUNT,
        }
        if fields := self.body.get("customFields"):
            line["customFields"] = fields
        return line

    def shown_text(self, step: Step) -> str:
        """What is on the phone: a fallback carries the message's own text, if it has one."""
        return self.body.get("text") or self.text if step.type != "ATA" else self.text

    def view(self, moment: float) -> Json:
        """As the API lists it."""
        step = self.at(moment)
        handed = self.sent if self.sent <= moment else None
        ended = self.sent + step.after if handed and step.code != AT_CARRIER else None
        log = [{"message": "메시지가 접수되었습니다.", "createAt": iso(self.created)}]
        if step.replacement:
            log.append(
                {
                    "message": f"알림톡 발송에 실패하여 {step.type}로 대체 발송되었습니다.",
                    "createAt": iso(self.sent + self.journey[1].after),
                }
            )
        return {
            "messageId": self.id,
            "groupId": self.group_id,
            "accountId": ACCOUNT,
            "to": self.to,
            "from": self.sender,
            "type": step.type,
            "text": self.shown_text(step),
            "subject": self.body.get("subject"),
            "imageId": self.body.get("imageId"),
            "country": self.body.get("country", "82"),
            "autoTypeDetect": self.body.get("autoTypeDetect", True),
            "kakaoOptions": self.body.get("kakaoOptions"),
            "customFields": self.fields,
            "replacement": step.replacement,
            "statusCode": step.code,
            "statusMessage": MEANINGS[step.code],
            "reason": MEANINGS[step.code] if ended and step.code != "4000" else None,
            "networkCode": None,
            "networkName": "ETC",
            "log": log,
            "dateCreated": iso(self.created),
            "dateUpdated": iso(ended or handed or self.created),
            "dateProcessed": iso(handed),
            "dateReported": iso(ended),
            "dateReceived": iso(ended),
        }


def register(
    body: Json, account: Account, taken: Set[str], new_id: Callable[[], str], group_id: str, now: float
) -> Message:
    """Check one message of a request with one recipient; `taken` are recipients that may not come again.

    Raises:
        Refusal: it is malformed, which refuses the whole request.
    """
    for name, kind in _KINDS:
        if not isinstance(body.get(name), kind):
            raise invalid(name)
    buttons = (body.get("kakaoOptions") or {}).get("buttons") or []
    if not isinstance(buttons, list) or any(not each.get(name) for each in buttons for name in _BUTTON):
        raise invalid("kakaoOptions.buttons")
    fields = body.get("customFields") or {}
    if any(len(key) > FIELD_KEY or len(str(value)) > FIELD_VALUE for key, value in fields.items()):
        raise invalid("customFields")
    if body.get("type") not in (None, *PRICES):
        known = body["type"] in TYPES
        raise invalid("이 계정에서 사용할 수 없는 메시지 타입입니다." if known else "type")
    to = str(body.get("to") or "").replace("-", "")
    sender = str(body.get("from") or "").replace("-", "")
    text = body.get("text") or ""
    message = Message(new_id(), group_id, body, to, sender, text, "SMS", ACCEPTED, now)
    kakao = body.get("kakaoOptions") or {}
    if kakao.get("templateId") or body.get("type") == "ATA":
        code = _alimtalk(message, kakao, account)
    else:
        code = _text(message, account)
    if not to.isdecimal() or not 8 <= len(to) <= 15 or _DEAF.match(to):
        code = "1021"
    elif to in taken:
        code = "1026"
    message.code = code or fate(to).refused or ACCEPTED
    return message


def variables_of(template: Json) -> list[str]:
    """`#{name}` of all that a template shows, each once."""
    return list(dict.fromkeys(_VARIABLE.findall(str([template.get(name) for name in _SHOWN]))))


def _text(message: Message, account: Account) -> str | None:
    """Set the type of an SMS, LMS or MMS; the code that refuses it."""
    body, image = message.body, message.body.get("imageId")
    subject = body.get("subject") or ""
    try:
        size, subject_size = len(message.text.encode("cp949")), len(subject.encode("cp949"))
    except UnicodeEncodeError:
        message.type = body.get("type") or "SMS"
        return "1029"
    fitting = "MMS" if image else "SMS" if size <= SMS_BYTES and not subject else "LMS"
    message.type = body.get("type") or fitting
    if message.sender not in account.senders:
        return "1062"
    if not message.text or (message.type == "MMS" and image not in account.files):
        return "1010"
    if size > (SMS_BYTES if message.type == "SMS" else LMS_BYTES) or subject_size > SUBJECT_BYTES:
        return "1031"
    return None


def _alimtalk(message: Message, kakao: Json, account: Account) -> str | None:
    message.type = "ATA"
    template = account.templates.get(kakao.get("templateId") or "")
    if not template or template["channelId"] != kakao.get("pfId") or template["status"] != "APPROVED":
        return "1043"
    buttons = kakao.get("buttons")
    if buttons and buttons != template["buttons"]:
        return "1043"
    text: str = template["content"] or ""
    given = kakao.get("variables") or {}
    for name, value in given.items():
        text = text.replace(name, str(value))
    message.text = text
    message.template_fits = given.keys() >= set(variables_of(template))
    if kakao.get("disableSms"):
        return None
    if message.sender not in account.senders:
        return "1062"
    try:
        size = len((message.body.get("text") or text).encode("cp949"))
    except UnicodeEncodeError:
        return None  # KakaoTalk can show it, but it has no fallback
    message.fallback = "SMS" if size <= SMS_BYTES and not message.body.get("subject") else "LMS"
    return None if size <= LMS_BYTES else "1031"
