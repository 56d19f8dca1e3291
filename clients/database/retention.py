"""How long rows are kept: a rule or more for every table, and the statements that enforce them.

`tests/integration/test_retention.py` wants a rule for each table, and `docs/retention.md` to say the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, exists, func, literal_column, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from clients.database.audit import AuditRecord
from clients.database.erasing import AT_ONCE
from clients.database.erasing_person import NOBODY
from clients.database.messaging_models import (
    CancelledReservation,
    MailAttempt,
    MessageChunk,
    MessageDigest,
    MessageJob,
    MessageOccurrence,
    MessageRecipient,
    NotificationLog,
    ProviderDifference,
)
from clients.database.models import Base, Job, JobEvent, JoinedRequest, Orphan, ServiceKey, Video
from clients.database.search import SearchText
from clients.database.staff_sessions import StaffSession
from clients.database.uploads import Upload
from clients.database.viewing_models import PlaybackSession, PlaybackViolation

Old = Callable[[datetime], ColumnElement[bool]]
MONTH, QUARTER, HALF_YEAR, YEAR, THREE_YEARS = (timedelta(days=each) for each in (30, 90, 180, 365, 1095))
AUDIT = timedelta(days=731)  # unless AUDIT_DAYS says otherwise


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`kept`: None stays until it is erased or removed by who uses it. `old`: which rows are over, given
    the moment before which they would be. They are removed, or `blank` is written into them. `elsewhere`:
    what enforces it instead of this."""

    table: str
    why: str
    kept: timedelta | None = None
    since: str = ""
    old: Old | None = None
    blank: Mapping[str, Any] = field(default_factory=dict)
    elsewhere: str = ""


def stays(table: str, why: str) -> Rule:
    return Rule(table=table, why=why)


def _of_ended(
    job_id: InstrumentedAttribute[UUID] | InstrumentedAttribute[UUID | None], before: datetime
) -> ColumnElement[bool]:
    return exists().where(Job.id == job_id, Job.finished_at < before)


def _unneeded_job(before: datetime) -> ColumnElement[bool]:
    """Over, and nothing that stays refers to it."""
    told = ~exists().where(MessageRecipient.job_id == Job.id)
    shown = ~exists().where(or_(Video.published_job == Job.id, Video.current_job == Job.id))
    joined = ~exists().where(JoinedRequest.job_id == Job.id)
    return (Job.finished_at < before) & Job.job_type.startswith("ai.") & told & shown & joined


_REGISTER = "the academy's own register: until the academy or the person asks"
_LECTURE = "with its lecture, until that is deleted"
_MONEY = "what a balance is made of: tax law and 전자상거래법 시행령 제6조 ask for five years"

# Those that others refer to come after them.
RULES = (
    Rule(
        table="playback_violations",
        kept=YEAR,
        since="it was noted",
        old=lambda before: PlaybackViolation.at < before,
        why="whether somebody may watch depends on those of the last hour",
    ),
    Rule(
        table="playback_sessions",
        kept=YEAR,
        since="it ended",
        old=lambda before: (
            (func.coalesce(PlaybackSession.ended_at, PlaybackSession.expires_at) < before)
            & ~exists().where(PlaybackViolation.session_id == PlaybackSession.id)
        ),
        why="who watched what when; what counts of it is in video_progress",
    ),
    Rule(
        table="job_events",
        kept=YEAR,
        since="its job ended",
        old=lambda before: _of_ended(JobEvent.job_id, before),
        why="looking into what happened",
    ),
    Rule(
        table="joined_requests",
        kept=YEAR,
        since="it came",
        old=lambda before: JoinedRequest.at < before,
        why="a request that comes late again is the same one",
    ),
    Rule(
        table="message_chunks",
        kept=HALF_YEAR,
        since="its job ended",
        old=lambda before: (
            _of_ended(MessageChunk.job_id, before) & MessageChunk.sealed.is_not(None)
        ),
        blank={"sealed": None},
        why="texts and phones, sealed: for questions about a message",
    ),
    Rule(
        table="message_recipients",
        kept=YEAR,
        since="its job ended",
        old=lambda before: (
            _of_ended(MessageRecipient.job_id, before) & (MessageRecipient.phone_mac != NOBODY)
        ),
        blank={"recipient_id": "", "phone_mac": NOBODY, "masked_phone": ""},
        why="who was sent what; a number without a person stays, for the ledger",
    ),
    Rule(
        table="message_jobs",
        kept=YEAR,
        since="its job ended",
        old=lambda before: (
            _of_ended(MessageJob.job_id, before)
            & or_(MessageJob.asked_by.is_not(None), MessageJob.decided_by.is_not(None))
        ),
        blank={"asked_by": None, "decided_by": None},
        why="which of the staff sent it, and who agreed",
    ),
    Rule(
        table="mail_attempts",
        kept=MONTH,
        since="its job ended",
        old=lambda before: _of_ended(MailAttempt.job_id, before),
        why="an e-mail that is tried again; gone with the recipient's end, but for what a killed worker left",
    ),
    Rule(
        table="message_digests",
        kept=YEAR,
        since="its job ended",
        old=lambda before: _of_ended(MessageDigest.job_id, before),
        why="which notices went in one text",
    ),
    Rule(
        table="message_occurrences",
        kept=YEAR,
        since="its job ended",
        old=lambda before: _of_ended(MessageOccurrence.job_id, before),
        why="the same occasion is told once",
    ),
    Rule(
        table="notification_log",
        kept=YEAR,
        since="it was sent",
        old=lambda before: NotificationLog.sent_at < before,
        why="what the existing service shows",
    ),
    Rule(
        table="provider_differences",
        kept=YEAR,
        since="it was found",
        old=lambda before: ProviderDifference.at < before,
        why="disputes with the provider",
    ),
    Rule(
        table="cancelled_reservations",
        kept=YEAR,
        since="it was asked",
        old=lambda before: CancelledReservation.at < before,
        why="a reservation that comes late stays cancelled",
    ),
    Rule(
        table="jobs",
        kept=YEAR,
        since="it ended",
        old=lambda before: (
            (Job.finished_at < before) & Job.job_type.startswith("ai.") & Job.result.is_not(None)
        ),
        blank={"result": null()},
        why="the result of documents, sheets, rosters: its files are gone by then",
    ),
    Rule(
        table="search_texts",
        kept=YEAR,
        since="its job ended",
        old=lambda before: _of_ended(SearchText.job_id, before),
        why="what a document is found by; nothing is found by it once the result is gone",
    ),
    Rule(
        table="jobs",
        kept=THREE_YEARS,
        since="it ended",
        old=_unneeded_job,
        why="rows of documents, sheets, rosters; those of lectures and messages are referred to, and stay",
    ),
    Rule(table="jobs", kept=timedelta(days=7), since="it ended", elsewhere="ops.sweep",
         why="sealed payloads of what may be tried again"),
    Rule(
        table="uploads",
        kept=YEAR,
        since="somebody was heard of",
        old=lambda before: (Upload.touched_at < before) & (Upload.state != "open"),
        why="asking again how it went; what its file was called, as long as the file is kept",
    ),
    Rule(table="idempotency_keys", kept=timedelta(days=1), since="it was claimed", elsewhere="ops.sweep",
         why="the same answer to the same request"),
    Rule(
        table="orphans",
        kept=QUARTER,
        since="its objects were removed",
        old=lambda before: Orphan.removed_at < before,
        why="looking into what was lost",
    ),
    Rule(
        table="staff_sessions",
        kept=QUARTER,
        since="its last use",
        old=lambda before: StaffSession.used_at < before,
        why="a token that was signed out stays so until it is too old anyway",
    ),
    Rule(
        table="service_keys",
        kept=THREE_YEARS,
        since="it was revoked",
        old=lambda before: ServiceKey.revoked_at < before,
        why="whose key a record of the audit names",
    ),
    Rule(
        table="audit_records",
        kept=AUDIT,
        since="it was written",
        old=lambda before: AuditRecord.at < before,
        why="개인정보의 안전성 확보조치 기준 제8조: a year, two of 50,000 people or more (`AUDIT_DAYS`)",
    ),
    stays("tenants", "numbers; and the tombstone of who was erased"),
    stays("tenant_keys", "without it nothing opens; destroyed with the tenant"),
    stays("students", _REGISTER),
    stays("classes", "what classes are called; the academy's own"),
    stays("enrolments", _REGISTER),
    stays("student_changes", "what a student's entries were before, sealed: goes with the student"),
    stays("roster_columns", "how the academy's rosters are to be read, until it forgets them"),
    stays("session_enrolments", _REGISTER),
    stays("lecture_sessions", _REGISTER),
    stays("attendance", _REGISTER),
    stays("staff", _REGISTER),
    stays("staff_hours", "working hours: 근로기준법 제42조 asks for three years; until the academy asks"),
    stays("video_access", _LECTURE),
    stays("video_progress", _LECTURE),
    stays("videos", "until it is deleted; then its row says so"),
    stays("captions", _LECTURE),
    stays("search_texts", "what captions are found by: goes with them"),
    stays("renditions", _LECTURE),
    stays("text_templates", "the academy's own texts, sealed, until it removes them"),
    stays("alimtalk_templates", "names and states of the academy's templates; nobody's"),
    stays("opt_outs", "a wish that stands until it is taken back; a hash, no phone"),
    stays("sender_numbers", "the academy's own numbers, while it has them"),
    stays("messaging_accounts", _MONEY),
    stays("credit_entries", _MONEY),
    stays("message_jobs", "counts of a sending, without people"),
    stays("message_groups", "the provider's numbers, by which nothing is sent twice"),
    stays("mail_servers", "the academy's own mail server, sealed, until operators remove it"),
    stays("callback_endpoints", "an address of the academy's, until it names another"),
    stays("provider_turns", "a moment; nothing of anybody"),
)  # fmt: skip


def table_of(rule: Rule) -> Table:
    return Base.metadata.tables[rule.table]


async def count(connection: AsyncConnection, rule: Rule, before: datetime) -> int:
    """Rows whose time is over."""
    assert rule.old is not None
    over = select(func.count()).select_from(table_of(rule)).where(rule.old(before))
    return (await connection.execute(over)).scalar_one()


async def enforce_some(connection: AsyncConnection, rule: Rule, before: datetime) -> int:
    """Remove or blank at most AT_ONCE rows whose time is over; of how many."""
    assert rule.old is not None
    table = table_of(rule)
    ctid: ColumnElement[Any] = literal_column("ctid")
    some = ctid.in_(select(ctid).select_from(table).where(rule.old(before)).limit(AT_ONCE))
    statement = update(table).where(some).values(rule.blank) if rule.blank else delete(table).where(some)
    return (await connection.execute(statement)).rowcount
