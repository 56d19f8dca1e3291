"""Messages to parents: what is sent, to whom, and how it ended for each of them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, FailFast, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.base import Contract
from contracts.jobs import JobOutcome, JobRef

Mode = Literal["sms", "alimtalk", "both", "email"]
ASKED_BY = "asked_by"  # in a job's payload, beside what was asked for
CLASS_IDS = "class_ids"  # likewise: the classes whose students its recipients are
LONGEST_PHONE = 40  # however it is written
NOT_UNDERSTOOD = "not understood"  # detail of an AmbiguousAdd whose answer was not what it must be


class Channel(StrEnum):
    """Solapi's `type` of a message. ATA is Alimtalk. EML is none of Solapi's: an e-mail, by SMTP."""

    SMS = "SMS"
    LMS = "LMS"
    MMS = "MMS"
    ATA = "ATA"
    EML = "EML"


class RecipientState(StrEnum):
    """Where one recipient stands. PENDING and ACCEPTED are not final.

    REFUSED: the provider would not take it. FAILED: taken and not delivered. UNCONFIRMED: sent, but no
    report came within the days that reports take; of an e-mail, that the mail server has taken it, and with
    MAIL_UNSURE that it may have. SUPPRESSED: ours not to send (duplicate, opted out, cap).
    """

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    UNCONFIRMED = "UNCONFIRMED"
    SUPPRESSED = "SUPPRESSED"
    CANCELLED = "CANCELLED"


class ApprovalState(StrEnum):
    """Of a job that another person must agree to before anything of it is sent."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


WITHOUT_END = frozenset({RecipientState.PENDING, RecipientState.ACCEPTED})


class Private(Contract):
    """A value about a person. It prints no field: phones, names and texts would end up in logs."""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return []


class Button(Contract):
    """A button of an Alimtalk template (Solapi `kakaoOptions.buttons`)."""

    type: Literal["WL", "AL", "BK", "MD", "DS", "BC", "BT", "AC"] = Field(serialization_alias="buttonType")
    name: str = Field(serialization_alias="buttonName", max_length=14)
    link_mobile: str | None = Field(default=None, max_length=2000, serialization_alias="linkMo")
    link_pc: str | None = Field(default=None, max_length=2000, serialization_alias="linkPc")
    link_android: str | None = Field(default=None, max_length=2000, serialization_alias="linkAnd")
    link_ios: str | None = Field(default=None, max_length=2000, serialization_alias="linkIos")


def _given(values: Any) -> Any:
    """A variable that is null has no value."""
    if not isinstance(values, dict) or None not in values.values():
        return values
    return {name: each for name, each in values.items() if each is not None}


class Recipient(Private):
    """One person to reach. `id` is the submitter's (a student): two may share a phone, and one may have
    several. `to` is a phone, or the address of an e-mail. Numbers, as tables have them, are their digits."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(min_length=1, max_length=100)
    to: str = Field(max_length=320)
    variables: Annotated[dict[str, str], Field(max_length=100), BeforeValidator(_given)] = Field(
        default_factory=dict
    )


class _OnThePhone(Recipient):
    to: str = Field(max_length=LONGEST_PHONE)


class Draft(Private):
    """What is sent to every recipient of a job. `text` may hold `#{variable}`; with a template it is the
    text of the SMS or LMS that the provider falls back to. `one_per_phone`: recipients who share a phone are
    told in one message, with the values of all of them. `text_template` names a text that the academy keeps,
    in place of text and subject; its last version, unless another is named. `at_once`: it waits for no other
    notice to share a text with."""

    mode: Mode = "sms"
    text: str = Field(default="", max_length=10_000)
    text_template: str | None = Field(default=None, max_length=60)
    text_template_version: int | None = Field(default=None, ge=1, lt=2**31)
    subject: str | None = Field(default=None, max_length=200)
    sender: str | None = Field(default=None, max_length=40)
    advertising: bool = False
    image_key: str | None = Field(default=None, max_length=500)
    template_id: str | None = Field(default=None, max_length=100)
    buttons: tuple[Button, ...] = Field(default=(), max_length=5)
    send_at: AwareDatetime | None = None
    valid_minutes: int | None = Field(default=None, ge=1, le=14 * 24 * 60)
    one_per_phone: bool = False
    at_once: bool = False
    reservation_id: int | None = None
    event_type: str | None = Field(default=None, max_length=100)
    occurrence_key: str | None = Field(default=None, max_length=200)

    @property
    def by_kakao(self) -> bool:
        """Whether it is an Alimtalk, or tries to be."""
        return self.mode in ("alimtalk", "both")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        """An Alimtalk's text may be empty, but is not forgotten."""
        if "text" not in self.model_fields_set and self.text_template is None:
            raise PydanticCustomError("text_missing", "text or text_template is needed")
        return self


class SendRequest(Private):
    """A messaging job's payload: one draft, and its recipients here or in an object of JSON Lines
    (`Recipient` a line, at most 100,000) below `tenants/{tenant}/messages/`."""

    draft: Draft
    recipients: Annotated[tuple[Recipient, ...], FailFast()] = Field(default=(), max_length=1_000)
    recipients_key: str | None = Field(default=None, max_length=500)

    @model_validator(mode="after")
    def _reaches_phones(self) -> Self:
        if self.draft.mode != "email" and any(len(each.to) > LONGEST_PHONE for each in self.recipients):
            raise PydanticCustomError("phone_too_long", "a phone has 40 characters at most")
        return self


class NoteCode(StrEnum):
    """What a sender should know of a job that was not refused.

    VARIABLE_UNUSED: values were given for `about`, which no text asks for. SENT_AS_TEXT: Alimtalk would not
    do, because of the code `about`, so it goes as SMS or LMS. TOLD_TOGETHER: they are named in the message of
    somebody else with their phone, and get none of their own.
    """

    VARIABLE_UNUSED = "VARIABLE_UNUSED"
    SENT_AS_TEXT = "SENT_AS_TEXT"
    TOLD_TOGETHER = "TOLD_TOGETHER"


class Note(Contract):
    """`recipients`: how many it concerns."""

    code: NoteCode
    about: str
    recipients: int


def by_mail(payload: dict[str, Any]) -> bool:
    """Whether a job's messages are e-mails."""
    return (payload.get("draft") or payload).get("mode", payload.get("message_mode")) == "email"


def channel_owner(payload: dict[str, Any]) -> int | None:
    """The tenant whose KakaoTalk channel a queue's message shares."""
    owner = payload.get("channel_tenant_id")
    return owner if isinstance(owner, int) else None


def asked_at(payload: dict[str, Any]) -> datetime | None:
    """When a queue's producer asked for the message, where it says so."""
    at = payload.get("created_at")
    return datetime.fromisoformat(at) if isinstance(at, str) else None


def classes_of(payload: dict[str, Any]) -> list[int]:
    """The classes that the message was written to. Never of a body: those name recipients themselves."""
    ids = payload.get(CLASS_IDS)
    return [each for each in ids if isinstance(each, int)] if isinstance(ids, list) else []


def asked_by(payload: dict[str, Any]) -> str | None:
    """Who asked over HTTP, as the audit names callers; None of a queue's producer. Never of the body."""
    caller = payload.get(ASKED_BY)
    return caller if isinstance(caller, str) else None


def request_of(job_type: str, payload: dict[str, Any]) -> SendRequest:
    """The request in a job's payload. The queue's producers send one text to one phone; their business
    object (`target_type`, `target_id`) stands for the recipient."""
    if job_type != "messaging.send":
        return SendRequest.model_validate(payload)
    replacements = payload.get("alimtalk_replacements") or []
    draft = Draft.model_validate({"text": ""} | payload | {"mode": payload["message_mode"]})
    target = f"{payload.get('target_type', '')}:{payload.get('target_id', '')}"
    if target == ":":  # an occasion without whom it concerns would make all its messages duplicates of one
        draft = draft.model_copy(update={"occurrence_key": None})
    # Their variables are the template's; without Alimtalk nobody uses them.
    variables = {each["key"]: each.get("value") for each in replacements} if draft.by_kakao else {}
    kind = Recipient if draft.mode == "email" else _OnThePhone
    recipient = kind.model_validate({"id": target, "to": payload["to"], "variables": variables})
    return SendRequest(draft=draft, recipients=(recipient,))


class Template(Contract):
    """An Alimtalk template as the provider has it. `texts` are all that it shows (header, highlight, items,
    buttons …) and that hold `#{variable}`; `content` may be empty. `buttons` are those of known types.
    `of_group`: it belongs to a group of channels, and the provider knows which."""

    id: str
    pf_id: str
    status: str
    content: str = Field(repr=False)
    buttons: tuple[Button, ...] = ()
    texts: tuple[str, ...] = Field(default=(), repr=False)
    of_group: bool = False


class Account(Contract):
    """What of a tenant's messaging account shapes its messages."""

    tenant_id: int
    sender: str | None
    sender_numbers: frozenset[str]
    pf_id: str | None = None
    advertiser: str | None = None
    opt_out_number: str | None = None


@dataclass(slots=True, kw_only=True, repr=False)
class Composed:
    """One message as the provider takes it, after substitution and checks. No model: it never travels, and
    each of ten thousand would be checked once more; nor frozen, which takes five times as long to make. It
    prints no field, as `Private`."""

    to: str
    sender: str
    text: str
    subject: str | None = None
    channel: Channel
    fallback: Channel | None = None
    pf_id: str | None = None
    template_id: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    buttons: tuple[Button, ...] = ()
    image_id: str | None = None


class MessagesInput(Contract):
    """The `messages` workflow; the rest is where it goes on after a continue-as-new. `closes_at`: of a
    digest, when nothing joins it any more."""

    job: JobRef
    closes_at: datetime | None = None
    prepared: "Prepared | None" = None
    next_chunk: int = 0
    sent_at: datetime | None = None


class DigestPayload(Contract):
    """A digest's: when no notice joins it any more."""

    closes_at: AwareDatetime


class MessageJobRef(Contract):
    job_id: UUID
    tenant_id: int


class ChunkRef(MessageJobRef):
    """One group at the provider: at most 10,000 recipients of a job."""

    chunk: int


class GroupRef(ChunkRef):
    """The provider's group that is to carry a chunk."""

    group_id: str


class Prepared(Contract):
    """A job whose recipients lie in Postgres in `chunks` chunks, or why it is refused. `needs_approval`: it
    waits for a second person first, or did. `tells`: the tenant's system wants to hear how it ended.
    `by_mail`: they are e-mails."""

    chunks: int = 0
    recipients: int = 0
    waits_for_credit: bool = True
    needs_approval: bool = False
    send_at: datetime | None = None
    refusal: JobOutcome | None = None
    tells: bool = False
    by_mail: bool = False


class Approval(Contract):
    """Where a job stands that needs one. `stopped`: it was refused or cancelled, or it is too late for it. It
    is worth waiting `until` then."""

    state: ApprovalState
    stopped: bool = False
    until: datetime | None = None


class Reserved(Contract):
    """Whether the chunk's credit is reserved, and how many are left to send to. Stopped: the job or what it
    announces was cancelled, and nothing is reserved."""

    enough: bool
    sendable: int = 0
    stopped: bool = False


class Opened(Contract):
    """The chunk's group; a committed one may have been sent."""

    group_id: str
    committed: bool = False


class Added(Contract):
    """How many the provider took into the group. Fenced: another execution has replaced the group."""

    accepted: int = 0
    fenced: bool = False


class Verdict(StrEnum):
    """What became of a commit or a send.

    CLOSED: not at this hour, wait until `Decided.until`. NO_BALANCE: the provider's account is empty.
    STOP: the job or what it announces was cancelled. FENCED: another group holds the chunk now.
    DEAD: the provider gave the group up before it sent anything.
    """

    GO = "GO"
    CLOSED = "CLOSED"
    NO_BALANCE = "NO_BALANCE"
    STOP = "STOP"
    FENCED = "FENCED"
    DEAD = "DEAD"


class Decided(Contract):
    verdict: Verdict
    until: datetime | None = None


class Stop(MessageJobRef):
    """Send nothing more; `code` is what those who are left get as their reason."""

    code: str


class Stopped(Contract):
    """After a cancel: how many groups had been sent before it, and why the rest was not. `tells`: as of
    `Prepared`, for a job that was never prepared."""

    sent: int
    code: str
    tells: bool = False


class Counts(Contract):
    """Recipients of a job by state; `open` have none that is final. `code` is that of all who did not get
    it, None when they have several."""

    total: int = 0
    open: int = 0
    delivered: int = 0
    failed: int = 0
    refused: int = 0
    unconfirmed: int = 0
    suppressed: int = 0
    cancelled: int = 0
    code: str | None = None
    notes: tuple[Note, ...] = ()


class LostMessages(Contract):
    """A message job that has ended, and that a restored database knows as open: its workflow, and how it
    ended there."""

    job: JobRef
    workflow_id: str
    outcome: JobOutcome


class Day(Contract):
    """A calendar day in Korea."""

    day: date


class Differences(Contract):
    """What the daily comparison with the provider's list found: kind → how many."""

    compared: int = 0
    closed: int = 0
    kinds: dict[str, int] = Field(default_factory=dict)


class Telling(MessageJobRef):
    """What is told to the tenant's system of a job that has ended: part `part`, from 1, of those behind
    position `after`."""

    outcome: JobOutcome
    part: int = 1
    after: int = -1


class Told(Contract):
    """`next`: the position that the next part begins behind; None where this was the last, or nobody is
    there who wants to hear it."""

    next: int | None = None
