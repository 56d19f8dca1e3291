"""One person among a tenant's rows: a phone by its blind index, a student by the id. Callers hold the
transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import Student
from clients.database.erasing import tables
from clients.database.messaging_models import (
    MessageChunk,
    MessageOccurrence,
    MessageRecipient,
    NotificationLog,
)
from clients.database.models import Job
from clients.database.students import StudentRow

NOBODY = b""  # in place of a phone's index


@dataclass(frozen=True, slots=True)
class Sent:
    """One message to the person. `finished`: its job has ended."""

    job_id: UUID
    position: int
    chunk: int
    workflow_id: str
    finished: bool


async def sent_to(connection: AsyncConnection, tenant_id: int, phone_mac: bytes) -> Sequence[Sent]:
    query = (
        select(
            MessageRecipient.job_id,
            MessageRecipient.position,
            MessageRecipient.chunk,
            Job.workflow_id,
            Job.finished_at.is_not(None),
        )
        .join(Job, Job.id == MessageRecipient.job_id)
        .where(MessageRecipient.tenant_id == tenant_id, MessageRecipient.phone_mac == phone_mac)
    )
    return [Sent(*row) for row in await connection.execute(query)]


async def forget_messages(connection: AsyncConnection, sent: Sequence[Sent]) -> None:
    """Of jobs that have ended: what became of a message stays, whose it was does not."""
    places = [(each.job_id, each.position) for each in sent]
    jobs = {each.job_id for each in sent}
    these = tuple_(MessageOccurrence.job_id, MessageOccurrence.position).in_(places)
    await connection.execute(delete(MessageOccurrence).where(these))
    these = tuple_(NotificationLog.job_id, NotificationLog.position).in_(places)
    await connection.execute(update(NotificationLog).where(these).values(recipient_summary=""))
    await connection.execute(update(MessageChunk).where(MessageChunk.job_id.in_(jobs)).values(sealed=None))
    await connection.execute(update(Job).where(Job.id.in_(jobs)).values(sealed_payload=None))
    # The index by which they are found goes last, and with all else: a crash leaves them to be found.
    these = tuple_(MessageRecipient.job_id, MessageRecipient.position).in_(places)
    blank = {"recipient_id": "", "phone_mac": NOBODY, "masked_phone": ""}
    await connection.execute(update(MessageRecipient).where(these).values(blank))


async def open_messages(connection: AsyncConnection, tenant_id: int) -> int:
    """Jobs of messages that may not have read their list of recipients yet."""
    mine = (Job.tenant_id == tenant_id, Job.job_type == "messages.send", Job.finished_at.is_(None))
    return (await connection.execute(select(func.count()).select_from(Job).where(*mine))).scalar_one()


async def students(connection: AsyncConnection, tenant_id: int) -> list[StudentRow]:
    """All of a tenant: phones are sealed, and only the parent's is part of an index."""
    query = select(Student.id, Student.identity_mac, Student.sealed).where(Student.tenant_id == tenant_id)
    return [StudentRow(*row) for row in await connection.execute(query)]


def of_students() -> list[Table]:
    """Tables with rows of a student, those who refer to others first."""
    return [each for each in tables() if each is Student.__table__ or "student_id" in each.c]


async def count_student(connection: AsyncConnection, table: Table, tenant_id: int, student_id: int) -> int:
    mine = (table.c.tenant_id == tenant_id, _student(table) == student_id)
    return (await connection.execute(select(func.count()).select_from(table).where(*mine))).scalar_one()


async def erase_student(connection: AsyncConnection, tenant_id: int, student_id: int) -> None:
    for table in of_students():
        mine = (table.c.tenant_id == tenant_id, _student(table) == student_id)
        await connection.execute(delete(table).where(*mine))


def _student(table: Table) -> ColumnElement[int]:
    return table.c.id if table is Student.__table__ else table.c.student_id
