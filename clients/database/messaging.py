"""Queries on message jobs and their recipients. The caller holds the transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import String, and_, any_, case, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database import digests
from clients.database.jobs import JobMissing
from clients.database.messaging_groups import groups
from clients.database.messaging_models import (
    CancelledReservation,
    MessageGroup,
    MessageJob,
    MessageRecipient,
    OptOut,
    SenderNumber,
)
from clients.database.models import Job
from clients.database.rows import columns, many, one_or_none
from contracts.messaging import ApprovalState, Note, NoteCode, RecipientState
from rules.messaging.groups import BINDING, DIGESTS, HANDED_OVER, GroupState, is_digest


@dataclass(frozen=True, slots=True)
class MessageJobRow:
    job_id: UUID
    tenant_id: int
    reservation_id: int | None
    advertising: bool
    fallback: bool
    send_at: datetime | None
    expires_at: datetime | None
    notes: dict[str, Any] | None
    recipients: int | None
    chunks: int | None
    cancel_requested_at: datetime | None
    asked_by: str | None
    approval: ApprovalState | None
    decided_by: str | None
    decided_at: datetime | None
    by_mail: bool

    @property
    def in_digests(self) -> bool:
        """Whether its messages go in one text with others'."""
        return self.chunks == 0 and bool(self.recipients)


@dataclass(frozen=True, slots=True)
class RecipientRow:
    position: int
    chunk: int
    recipient_id: str
    masked_phone: str
    channel: str
    fallback: str | None
    sent_as: str | None
    state: str
    code: str | None
    final_at: datetime | None


_JOBS = select(*columns(MessageJob, MessageJobRow))


async def lock_job(connection: AsyncConnection, job_id: UUID, tenant_id: int) -> MessageJobRow:
    """The job's row, made if it is new, locked until the transaction ends. Raises JobMissing."""
    new = select(Job.id, literal(tenant_id)).where(Job.id == job_id)
    await connection.execute(
        insert(MessageJob).from_select(["job_id", "tenant_id"], new).on_conflict_do_nothing()
    )
    mine = _JOBS.where(MessageJob.job_id == job_id).with_for_update()
    row = await one_or_none(connection, mine, MessageJobRow)
    if row is None:
        raise JobMissing(job_id)
    return row


async def lock_jobs(connection: AsyncConnection, job_ids: Collection[UUID]) -> list[MessageJobRow]:
    """Some that are there, locked in the order of their ids until the transaction ends."""
    these = _JOBS.where(MessageJob.job_id.in_(job_ids)).order_by(MessageJob.job_id).with_for_update()
    return await many(connection, these, MessageJobRow)


async def find_job(connection: AsyncConnection, job_id: UUID) -> MessageJobRow | None:
    return await one_or_none(connection, _JOBS.where(MessageJob.job_id == job_id), MessageJobRow)


async def noticed_at(connection: AsyncConnection, job_id: UUID) -> datetime | None:
    """Since when people could have been told: the job's acceptance, or the time that it was to be sent at.
    None for advertising, which may wait for the morning."""
    query = (
        select(func.greatest(Job.accepted_at, MessageJob.send_at))
        .join(MessageJob, MessageJob.job_id == Job.id)
        .where(Job.id == job_id, MessageJob.advertising.is_(False))
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def mark_prepared(
    connection: AsyncConnection,
    job_id: UUID,
    *,
    recipients: int,
    chunks: int,
    reservation_id: int | None = None,
    advertising: bool = False,
    fallback: bool = False,
    template_id: str | None = None,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    asked_by: str | None = None,
    class_ids: Sequence[int] = (),
    approval: ApprovalState | None = None,
    notes: Sequence[Note] = (),
    by_mail: bool = False,
) -> None:
    await connection.execute(
        update(MessageJob)
        .where(MessageJob.job_id == job_id)
        .values(
            recipients=recipients,
            chunks=chunks,
            reservation_id=reservation_id,
            advertising=advertising,
            fallback=fallback,
            template_id=template_id,
            send_at=send_at,
            expires_at=expires_at,
            asked_by=asked_by,
            class_ids=list(class_ids),
            approval=approval,
            notes=_notes(notes),
            by_mail=by_mail,
        )
    )


async def add_notes(
    connection: AsyncConnection, job: MessageJobRow, code: NoteCode, recipients: Mapping[str, int]
) -> None:
    """Add to a locked job's notes how many recipients `code` concerns because of what."""
    noted = {(note.code, note.about): note.recipients for note in notes_of(job)}
    for about, count in recipients.items():
        noted[code, about] = noted.get((code, about), 0) + count
    notes = [Note(code=code, about=about, recipients=count) for (code, about), count in noted.items()]
    await connection.execute(
        update(MessageJob).where(MessageJob.job_id == job.job_id).values(notes=_notes(notes))
    )


def notes_of(job: MessageJobRow) -> list[Note]:
    return [Note.model_validate(each) for each in (job.notes or {}).get("notes", ())]


def _notes(notes: Sequence[Note]) -> dict[str, Any] | None:
    return {"notes": [each.model_dump(mode="json") for each in notes]} if notes else None


# A recipient's group.
_GROUP = and_(
    MessageGroup.tenant_id == MessageRecipient.tenant_id,
    MessageGroup.job_id == MessageRecipient.job_id,
    MessageGroup.chunk == MessageRecipient.chunk,
)


async def uncommitted_positions(connection: AsyncConnection, job_id: UUID) -> list[int]:
    """Those of a job who have no end, and no committed group: nothing can have been sent to them."""
    committed = exists().where(_GROUP, MessageGroup.state.in_(BINDING))
    rows = await connection.execute(
        select(MessageRecipient.position).where(
            MessageRecipient.job_id == job_id, MessageRecipient.final_at.is_(None), ~committed
        )
    )
    return list(rows.scalars())


# A group that the provider has sent has everybody in it who is not at an end. What a digest has may be
# waiting there.
_STANDS = case(
    (
        and_(
            MessageRecipient.state == RecipientState.PENDING,
            MessageGroup.state.in_(HANDED_OVER),
            MessageGroup.group_id.not_like(f"{DIGESTS}%"),
        ),
        RecipientState.ACCEPTED,
    ),
    else_=MessageRecipient.state,
).label("state")


async def states(connection: AsyncConnection, job_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Recipients of each job by state."""
    rows = await connection.execute(
        select(MessageRecipient.job_id, _STANDS, func.count())
        .outerjoin(MessageGroup, _GROUP)
        .where(MessageRecipient.job_id.in_(job_ids))
        .group_by(MessageRecipient.job_id, _STANDS)
    )
    found: dict[UUID, dict[str, int]] = {}
    for job_id, state, count in rows:
        found.setdefault(job_id, {})[state] = count
    return found


async def counts(connection: AsyncConnection, job_id: UUID) -> dict[str, int]:
    """Recipients of a job by state."""
    return (await states(connection, [job_id])).get(job_id, {})


async def codes(connection: AsyncConnection, job_id: UUID) -> dict[str, int]:
    """Recipients of a job who did not get it, by code."""
    rows = await connection.execute(
        select(MessageRecipient.code, func.count())
        .where(MessageRecipient.job_id == job_id, MessageRecipient.code.is_not(None))
        .group_by(MessageRecipient.code)
    )
    return {str(row[0]): row[1] for row in rows}


class CancelAnswer(StrEnum):
    """What is proven of a job that was asked to send nothing more. CANCELLED: no group is committed, and none
    will be. TOO_LATE: all are sent. UNKNOWN: some are on their way."""

    CANCELLED = "CANCELLED"
    TOO_LATE = "TOO_LATE"
    UNKNOWN = "UNKNOWN"


async def request_cancel(connection: AsyncConnection, job_id: UUID, tenant_id: int) -> CancelAnswer:
    """Ask that a job sends nothing more; what this transaction proves."""
    job = await lock_job(connection, job_id, tenant_id)
    if job.cancel_requested_at is None:
        await connection.execute(
            update(MessageJob).where(MessageJob.job_id == job_id).values(cancel_requested_at=func.now())
        )
    binding = await groups(connection, job_id, BINDING)
    states, wanted = [row.state for row in binding], job.chunks
    if any(is_digest(row.ref.group_id) for row in binding):
        of_notices = await digests.groups_of(connection, job_id)
        states, wanted = [each for each in of_notices if each in BINDING], len(of_notices)
    if not states:
        return CancelAnswer.CANCELLED
    all_sent = len(states) == wanted and GroupState.COMMITTED not in states
    return CancelAnswer.TOO_LATE if all_sent else CancelAnswer.UNKNOWN


_RECIPIENTS = [
    _STANDS if column is MessageRecipient.state else column
    for column in columns(MessageRecipient, RecipientRow)
]


async def recipients(
    connection: AsyncConnection, job_id: UUID, after: int, limit: int, state: RecipientState | None = None
) -> Sequence[RecipientRow]:
    """A page of a job's recipients, those after a position; of one state, or of all."""
    page = (
        select(*_RECIPIENTS)
        .outerjoin(MessageGroup, _GROUP)
        .where(MessageRecipient.job_id == job_id, MessageRecipient.position > after)
        .order_by(MessageRecipient.position)
        .limit(limit)
    )
    if state:
        page = page.where(_STANDS.element == state)
    return await many(connection, page, RecipientRow)


async def workflows_of_groups(connection: AsyncConnection, group_ids: Sequence[str]) -> list[str]:
    """The workflows of open jobs that wait for reports of these groups."""
    named = literal(list(group_ids), ARRAY(String))  # one parameter, however many there are
    rows = await connection.execute(
        select(Job.workflow_id)
        .join(MessageGroup, MessageGroup.job_id == Job.id)
        .where(MessageGroup.group_id == any_(named), Job.finished_at.is_(None))
        .distinct()
    )
    return list(rows.scalars())


async def reservation_is_cancelled(connection: AsyncConnection, job: MessageJobRow) -> bool:
    if job.reservation_id is None:
        return False
    row = exists().where(
        CancelledReservation.tenant_id == job.tenant_id,
        CancelledReservation.reservation_id == job.reservation_id,
    )
    return bool((await connection.execute(select(row))).scalar_one())


async def cancel_reservation(connection: AsyncConnection, tenant_id: int, reservation_id: int) -> None:
    await connection.execute(
        insert(CancelledReservation)
        .values(tenant_id=tenant_id, reservation_id=reservation_id)
        .on_conflict_do_nothing()
    )


async def opt_out(connection: AsyncConnection, tenant_id: int, phone_mac: bytes) -> None:
    await connection.execute(
        insert(OptOut).values(tenant_id=tenant_id, phone_mac=phone_mac).on_conflict_do_nothing()
    )


async def sender_numbers(connection: AsyncConnection, tenant_id: int) -> frozenset[str]:
    rows = await connection.execute(select(SenderNumber.number).where(SenderNumber.tenant_id == tenant_id))
    return frozenset(rows.scalars())
