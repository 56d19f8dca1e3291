"""One message to one person, checked as the provider, the carriers and the law will check it. Pure."""

import re
from collections.abc import Mapping

from contracts.errors import (
    ADVERTISING_BY_ALIMTALK,
    CHANNEL_NOT_CONFIGURED,
    IMAGE_WITH_ALIMTALK,
    SENDER_MISSING,
    SENDER_NOT_REGISTERED,
    SUBJECT_MISSING,
    SUBJECT_TOO_LONG,
    TEMPLATE_MISMATCH,
    TEMPLATE_MISSING,
    TEMPLATE_NOT_APPROVED,
    TEXT_EMPTY,
    TEXT_TOO_LONG,
)
from contracts.messaging import Account, Button, Channel, Composed, Draft, Recipient, Template
from rules.messaging import emails, phones
from rules.messaging.advertising import MARK, advertisement, unmarked
from rules.messaging.template import Asked, Parsed, by_name, names
from rules.messaging.text import clean, clean_for_kakao, size
from rules.messaging.unsendable import Unsendable

# Bytes of cp949 after substitution, with the advertising lines; Alimtalk in characters.
SMS_BYTES = 90
LMS_BYTES = 2_000
SUBJECT_BYTES = 40
ALIMTALK_CHARACTERS = 1_000
EMAIL_CHARACTERS, EMAIL_SUBJECT = 20_000, 200
_ADDRESS = re.compile(
    r"(?:https?://|www\.|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/)(?:#\{[^{}]*\}|\S)*", re.IGNORECASE
)


class Composer:
    """A draft, read and checked once for all whom it goes to.

    `default_pf_id` is the KakaoTalk channel of tenants without their own. `image_id` is the provider's, of an
    MMS; without it the message can be looked at and not sent. What is wrong with the draft is raised for each
    recipient, as what is wrong with theirs is.
    """

    def __init__(
        self,
        draft: Draft,
        account: Account,
        template: Template | None,
        default_pf_id: str | None,
        image_id: str | None = None,
    ) -> None:
        self._draft, self._account, self._image_id = draft, account, image_id
        self._sender = self._pf_id = ""
        self._text = self._subject = self._shown = Parsed("")
        self._template: Template | None = None
        self._asked = Asked(())
        self._refusal: Unsendable | None = None
        try:
            self._read(template, default_pf_id)
        except Unsendable as error:
            self._refusal = error

    def _read(self, template: Template | None, default_pf_id: str | None) -> None:
        if self._draft.mode == "email":
            self._text = Parsed(clean_for_kakao(self._draft.text, "text"))
            self._subject = Parsed(clean_for_kakao(self._draft.subject or "", "subject"))
            return
        self._sender = _sender(self._draft, self._account)
        if self._draft.by_kakao:
            self._template, self._pf_id = usable(template, self._draft, self._account, default_pf_id)
            self._asked, self._shown = Asked(_shown(self._template)), Parsed(self._template.content)
        if self._draft.mode != "alimtalk":
            self._text = Parsed(clean(self._draft.text, "text"))
            self._subject = Parsed(clean(self._draft.subject or "", "subject"))

    def compose(self, recipient: Recipient) -> Composed:
        """The message to `recipient`. Raises Unsendable.

        The text of an Alimtalk without fallback is what KakaoTalk shows; otherwise it is the SMS, LMS or MMS.
        """
        to = reached(self._draft, recipient.to)
        if self._refusal:
            raise Unsendable(self._refusal.code, self._refusal.detail)
        values = by_name(recipient.variables)
        if self._draft.mode == "email":
            return self._mail(to, values)
        if self._template:
            return self._alimtalk(to, self._template, values)
        text, subject, channel = self._carried(values)
        return Composed(
            to=to, sender=self._sender, text=text, subject=subject, channel=channel, image_id=self._image_id
        )

    def _mail(self, to: str, values: Mapping[str, str]) -> Composed:
        """Any character but control characters. A subject has no line break: it is a header."""
        text = self._text.fill(values, clean_for_kakao).rstrip()
        subject = " ".join(self._subject.fill(values, clean_for_kakao).split())
        if not text:
            raise Unsendable(TEXT_EMPTY)
        if not subject:
            raise Unsendable(SUBJECT_MISSING)
        if len(text) > EMAIL_CHARACTERS:
            raise Unsendable(TEXT_TOO_LONG, {"characters": len(text), "limit": EMAIL_CHARACTERS})
        if len(subject) > EMAIL_SUBJECT:
            raise Unsendable(SUBJECT_TOO_LONG, {"characters": len(subject), "limit": EMAIL_SUBJECT})
        return Composed(to=to, sender="", text=text, subject=subject, channel=Channel.EML)

    def _alimtalk(self, to: str, template: Template, values: Mapping[str, str]) -> Composed:
        variables = {
            variable: clean_for_kakao(value, variable)
            for variable, value in self._asked.values(values).items()
        }
        shown = self._shown.fill(values, clean_for_kakao)
        if len(shown) > ALIMTALK_CHARACTERS:
            raise Unsendable(TEXT_TOO_LONG, {"characters": len(shown), "limit": ALIMTALK_CHARACTERS})
        text, subject, fallback = shown, None, None
        if self._draft.mode == "both":
            text, subject, fallback = self._carried(values)
        return Composed(
            to=to,
            sender=self._sender,
            text=text,
            subject=subject,
            channel=Channel.ATA,
            fallback=fallback,
            pf_id=self._pf_id,
            template_id=template.id,
            variables=variables,
            buttons=self._draft.buttons,
        )

    def _carried(self, values: Mapping[str, str]) -> tuple[str, str | None, Channel]:
        """Text, subject and type of what a carrier delivers.

        Without a subject an LMS goes without: what the provider or the phone shows then is theirs to choose.
        """
        text = self._text.fill(values, clean).rstrip()
        if not text:
            raise Unsendable(TEXT_EMPTY)
        subject = " ".join(self._subject.fill(values, clean).split()) or None if self._draft.subject else None
        if self._draft.advertising:
            text = advertisement(text, self._account)
            subject = subject and MARK + unmarked(subject)
        length = size(text)
        if length > LMS_BYTES:
            raise Unsendable(TEXT_TOO_LONG, {"bytes": length, "limit": LMS_BYTES})
        if subject and size(subject) > SUBJECT_BYTES:
            raise Unsendable(SUBJECT_TOO_LONG, {"bytes": size(subject), "limit": SUBJECT_BYTES})
        if self._draft.image_key:
            return text, subject, Channel.MMS
        return text, subject, by_size(length, subject)


def by_size(length: int, subject: str | None) -> Channel:
    """What carries a text of so many bytes."""
    return Channel.LMS if subject or length > SMS_BYTES else Channel.SMS


def compose(
    draft: Draft, recipient: Recipient, account: Account, template: Template | None, default_pf_id: str | None
) -> Composed:
    """As `Composer`, for one."""
    return Composer(draft, account, template, default_pf_id).compose(recipient)


def reached(draft: Draft, to: str) -> str:
    """The phone, or the address, that a draft reaches somebody at. Raises Unsendable."""
    return emails.address(to) if draft.mode == "email" else phones.mobile(to)


def masked(channel: Channel | str, to: str) -> str:
    """What logs and lists may show of where a message goes."""
    return emails.mask(to) if channel == Channel.EML else phones.mask(to)


def asked_for(draft: Draft, template: Template | None) -> frozenset[str]:
    """The variables that a draft's messages need: the text of an Alimtalk without fallback is never sent."""
    shown = _shown(template) if template and draft.by_kakao else ()
    carried = (draft.text, draft.subject or "") if draft.mode != "alimtalk" else ()
    return names((*carried, *shown))


def linked(draft: Draft, template: Template | None) -> frozenset[str]:
    """The variables of a draft's messages that are parts of an address: what opens with one value does not
    with two."""
    with_alimtalk = template if draft.by_kakao else None
    written = (
        *(_shown(with_alimtalk) if with_alimtalk else ()),
        draft.text if draft.mode != "alimtalk" else "",
    )
    addresses = (found[0] for text in written for found in _ADDRESS.finditer(text))
    return names((*addresses, *(_links(with_alimtalk.buttons) if with_alimtalk else ())))


def provider_message(composed: Composed, custom: dict[str, str]) -> dict[str, object]:
    """The message as Solapi's JSON, `to` first and `custom` last. That comes back with its reports (key 30,
    value 100 characters). An e-mail is kept in the same form until it is sent.

    An Alimtalk without fallback goes without `text`: Solapi fills the template.
    """
    message: dict[str, object] = {
        "to": composed.to,
        "from": composed.sender,
        "type": composed.channel.value,
        "country": "82",
        "autoTypeDetect": False,
    }
    if composed.channel is not Channel.ATA or composed.fallback:
        message["text"] = composed.text
    if composed.subject:
        message["subject"] = composed.subject
    if composed.image_id:
        message["imageId"] = composed.image_id
    if composed.channel is Channel.ATA:
        kakao: dict[str, object] = {
            "pfId": composed.pf_id,
            "templateId": composed.template_id,
            "variables": composed.variables,
            "disableSms": composed.fallback is None,
        }
        if composed.buttons:
            kakao["buttons"] = [
                button.model_dump(by_alias=True, exclude_none=True) for button in composed.buttons
            ]
        message["kakaoOptions"] = kakao
    message["customFields"] = custom
    return message


def _sender(draft: Draft, account: Account) -> str:
    written = draft.sender or account.sender
    if not written:
        raise Unsendable(SENDER_MISSING)
    sender = phones.sender(written)
    if sender not in {phones.digits(number) for number in account.sender_numbers}:
        raise Unsendable(SENDER_NOT_REGISTERED)
    return sender


def usable(
    template: Template | None, draft: Draft, account: Account, default_pf_id: str | None
) -> tuple[Template, str]:
    """The template and the channel it is sent from. Raises Unsendable."""
    if draft.advertising:
        raise Unsendable(ADVERTISING_BY_ALIMTALK)
    if draft.image_key:
        raise Unsendable(IMAGE_WITH_ALIMTALK)
    pf_id = account.pf_id or default_pf_id
    if not pf_id:
        raise Unsendable(CHANNEL_NOT_CONFIGURED)
    if template is None:
        raise Unsendable(TEMPLATE_MISSING)
    if template.status != "APPROVED":
        raise Unsendable(TEMPLATE_NOT_APPROVED, {"status": template.status})
    foreign = template.pf_id != pf_id and not template.of_group
    if foreign or (draft.template_id or template.id) != template.id:
        raise Unsendable(TEMPLATE_MISMATCH)
    if draft.buttons not in ((), template.buttons):
        raise Unsendable(TEMPLATE_MISMATCH)
    return template, pf_id


def _shown(template: Template) -> tuple[str, ...]:
    """All that KakaoTalk fills in."""
    return tuple(dict.fromkeys((template.content, *_texts(template.buttons), *template.texts)))


def _texts(buttons: tuple[Button, ...]) -> tuple[str, ...]:
    return (*(button.name for button in buttons if button.name), *_links(buttons))


def _links(buttons: tuple[Button, ...]) -> tuple[str, ...]:
    return tuple(
        link
        for button in buttons
        for link in (button.link_mobile, button.link_pc, button.link_android, button.link_ios)
        if link
    )
