"""Tables of messages to parents. Phones and texts are sealed with the tenant's own key (`clients.keys`)."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base, words
from contracts.messaging import ApprovalState
from rules.messaging.groups import GroupState

Won = Numeric(14, 2)


class MessagingAccount(Base):
    """What a tenant may send, and its prepaid credit in won. Prices are per recipient. A person's job for
    more than `approval_above` recipients waits for a second person, with `approval_of_systems` anybody's. A
    notice waits `digest_minutes` for others to the same phone; 0: for none."""

    __tablename__ = "messaging_accounts"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    credit_balance: Mapped[Decimal] = mapped_column(Won, server_default="0")
    price_sms: Mapped[Decimal] = mapped_column(Won)
    price_lms: Mapped[Decimal] = mapped_column(Won)
    price_mms: Mapped[Decimal] = mapped_column(Won)
    price_ata: Mapped[Decimal] = mapped_column(Won)
    sender: Mapped[str | None] = mapped_column(String(20))
    pf_id: Mapped[str | None] = mapped_column(String(64))
    advertiser: Mapped[str | None] = mapped_column(String(40))
    opt_out_number: Mapped[str | None] = mapped_column(String(20))
    night_advertising: Mapped[bool] = mapped_column(server_default="false")
    daily_cap: Mapped[int | None] = mapped_column(Integer)
    daily_cap_per_phone: Mapped[int | None] = mapped_column(Integer)
    waits_for_credit: Mapped[bool] = mapped_column(server_default="true")
    approval_above: Mapped[int | None] = mapped_column(Integer)
    approval_of_systems: Mapped[bool] = mapped_column(server_default="false")
    digest_minutes: Mapped[int] = mapped_column(Integer, server_default="0")

    __table_args__ = (CheckConstraint("credit_balance >= 0", name="ck_messaging_accounts_balance"),)


class SenderNumber(Base):
    """A number that the provider has registered for this tenant."""

    __tablename__ = "sender_numbers"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    number: Mapped[str] = mapped_column(String(20), primary_key=True)


class OptOut(Base):
    """A phone that takes no advertising from this tenant any more, known by its keyed hash."""

    __tablename__ = "opt_outs"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    phone_mac: Mapped[bytes] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class CancelledReservation(Base):
    """What was reserved is off: messages about it are not sent any more."""

    __tablename__ = "cancelled_reservations"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    reservation_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class MessageJob(Base):
    """One message to one or many. Locked by whoever commits a group, cancels or approves the job: one of them
    first. `approval` is None where none is needed; callers are named as in the audit. `class_ids`: whose
    students were chosen, none where people were; None of what a release before has prepared. `by_mail`: they
    are e-mails."""

    __tablename__ = "message_jobs"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    reservation_id: Mapped[int | None] = mapped_column(BigInteger)
    advertising: Mapped[bool] = mapped_column(server_default="false")
    fallback: Mapped[bool] = mapped_column(server_default="false")
    template_id: Mapped[str | None] = mapped_column(String(100))
    send_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    notes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    recipients: Mapped[int | None] = mapped_column(Integer)
    chunks: Mapped[int | None] = mapped_column(Integer)
    cancel_requested_at: Mapped[datetime | None]
    asked_by: Mapped[str | None] = mapped_column(String(220))
    class_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    approval: Mapped[ApprovalState | None] = mapped_column(words(ApprovalState, 16))
    decided_by: Mapped[str | None] = mapped_column(String(220))
    decided_at: Mapped[datetime | None]
    by_mail: Mapped[bool] = mapped_column(server_default="false")

    __table_args__ = (
        Index("ix_message_jobs_waiting", "tenant_id", postgresql_where=text("approval = 'WAITING'")),
    )


class MessageGroup(Base):
    """The fence: one row for a chunk of a job, whoever works on it. After COMMITTED the group never changes
    (`rules/messaging/groups.py`). `lineage`: of e-mails, which database committed it (`mails.lineage`)."""

    __tablename__ = "message_groups"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("message_jobs.job_id"), primary_key=True)
    chunk: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[GroupState] = mapped_column(words(GroupState, 16), server_default=GroupState.OPEN)
    group_id: Mapped[str | None] = mapped_column(String(64))
    send_began_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    lineage: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("ix_message_groups_group", "group_id", unique=True),
        Index(
            "ix_message_groups_unfinished",
            "sent_at",
            postgresql_where=text("state NOT IN ('DONE', 'CANCELLED')"),
        ),
        Index("ix_message_groups_job", "job_id"),
    )


class MessageChunk(Base):
    """What a group is filled with. `sealed`: its messages in one piece (one a recipient in chunks of the
    first releases); gone when the group is sent, or when nobody is left to send to. `reserved` counts the
    recipients whose credit was reserved, all at once.
    `provider_ids` are of those at `positions`, whom the provider took into the group.
    """

    __tablename__ = "message_chunks"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("message_jobs.job_id"), primary_key=True)
    chunk: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[list[bytes] | None] = mapped_column(ARRAY(LargeBinary))
    reserved_on: Mapped[date | None]
    reserved: Mapped[int] = mapped_column(Integer, server_default="0")
    positions: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    provider_ids: Mapped[list[str] | None] = mapped_column(ARRAY(String(64)))

    __table_args__ = (Index("ix_message_chunks_day", "tenant_id", "reserved_on"),)


class MessageRecipient(Base):
    """One person of a job. Written once and ended once: what is between is its chunk's and its group's, and
    `state` stays PENDING until the end. The job has no foreign key: ten thousand look-ups of one row.
    Who is `merged_into` another position has no message and no price of their own, and ends as that one does;
    who is merged into themselves is told by a digest (`MessageDigest`).
    """

    __tablename__ = "message_recipients"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    chunk: Mapped[int] = mapped_column(Integer)
    recipient_id: Mapped[str] = mapped_column(String(100))
    phone_mac: Mapped[bytes]
    masked_phone: Mapped[str] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(3))
    fallback: Mapped[str | None] = mapped_column(String(3))
    merged_into: Mapped[int | None] = mapped_column(Integer)
    sent_as: Mapped[str | None] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(16), server_default="PENDING")
    code: Mapped[str | None] = mapped_column(String(64))
    final_at: Mapped[datetime | None]

    # None on (job_id, chunk): before statistics are in, the planner would take it for single rows.
    __table_args__ = (
        Index("ix_message_recipients_phone", "tenant_id", "phone_mac"),
        Index("ix_message_recipients_merged", "job_id", postgresql_where=text("merged_into IS NOT NULL")),
    )


class MessageDigest(Base):
    """A notice that goes in one text with others to its phone. `digest_id`: the job that sends them, which
    takes no more of them when `closes_at` has come; `carried_at`: the position there of the message that says
    it. None until then, and again of what was taken out."""

    __tablename__ = "message_digests"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("message_jobs.job_id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    digest_id: Mapped[UUID] = mapped_column(ForeignKey("message_jobs.job_id"))
    closes_at: Mapped[datetime]
    carried_at: Mapped[int | None] = mapped_column(Integer)

    __table_args__ = (
        Index("ix_message_digests_digest", "digest_id"),
        Index("ix_message_digests_window", "tenant_id", "closes_at"),
    )


class MailAttempt(Base):
    """An e-mail that has no end yet and was tried. Since `began_at` it may be on its way; None: no try of it
    is, and it is tried again at `again_at`. Gone with the recipient's end."""

    __tablename__ = "mail_attempts"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("message_jobs.job_id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    tries: Mapped[int] = mapped_column(Integer)
    began_at: Mapped[datetime | None]
    again_at: Mapped[datetime | None]


class MessageOccurrence(Base):
    """What a person was told on one occasion: taken once, and free again when it was not delivered."""

    __tablename__ = "message_occurrences"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    occurrence: Mapped[bytes] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("message_jobs.job_id"))
    position: Mapped[int] = mapped_column(Integer)

    __table_args__ = (Index("ix_message_occurrences_holder", "job_id", "position"),)


class CreditEntry(Base):
    """The ledger. The balance of a tenant is the sum of its amounts, in won. Entries are written together
    with the locked row of the tenant's account, which has the foreign key."""

    __tablename__ = "credit_entries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(16))
    amount: Mapped[Decimal] = mapped_column(Won)
    job_id: Mapped[UUID | None]
    position: Mapped[int | None] = mapped_column(Integer)
    reference: Mapped[str | None] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("job_id", "position", "kind", name="uq_credit_entries_once"),
        Index(
            "uq_credit_entries_reference",
            "tenant_id",
            "reference",
            unique=True,
            postgresql_where=text("reference IS NOT NULL"),
        ),
    )


class NotificationLog(Base):
    """What the existing service shows of sent messages. No phone and no text."""

    __tablename__ = "notification_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(Integer)
    sent_at: Mapped[datetime] = mapped_column(server_default=func.now())
    success: Mapped[bool]
    amount_deducted: Mapped[Decimal] = mapped_column(Won)
    recipient_summary: Mapped[str] = mapped_column(String(40))
    template_summary: Mapped[str] = mapped_column(String(120))
    failure_reason: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        UniqueConstraint("job_id", "position", name="uq_notification_log_once"),
        Index("ix_notification_log_tenant", "tenant_id", "sent_at"),
    )


class ProviderTurn(Base):
    """When the next request of a provider account may leave, in whatever process."""

    __tablename__ = "provider_turns"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    next_at: Mapped[datetime]


class ProviderDifference(Base):
    """Where the provider's list of a day and ours do not agree."""

    __tablename__ = "provider_differences"

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    provider_message_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant_id: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[UUID | None]
    position: Mapped[int | None] = mapped_column(Integer)
    ours: Mapped[str | None] = mapped_column(String(64))
    theirs: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
