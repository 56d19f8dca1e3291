"""Queries on students by blind index, as rosters write them. The caller holds the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import Tenant


class StudentRow(NamedTuple):
    """A tuple: a roster has up to 50,000."""

    id: int
    identity_mac: bytes
    sealed: bytes


@dataclass(slots=True)
class SealedStudent:
    """A student as it is written."""

    identity_mac: bytes
    likeness_mac: bytes | None
    sealed: bytes


async def lock_roster(connection: AsyncConnection, tenant_id: int) -> None:
    """One roster of a tenant is written at a time. Jobs of the tenant are accepted meanwhile."""
    await connection.execute(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update(key_share=True))


# LIMIT makes each look-up one of its own, in an index that begins with the MAC. With `= ANY(array)` or a
# plain join, and statistics of before an import, Postgres takes the tenant for empty and compares each of its
# students with each wanted one (measured: 50,000 × 5,000, over 100 s).
#
# These statements are in the driver's own words, for its `b`: arrays of bytes travel as they are. As text,
# which SQLAlchemy's binds make of them, each element is escaped in Python: twice Postgres's own time.
_FIND = """
    SELECT s.id, s.identity_mac, s.sealed FROM unnest(%(macs)b::bytea[]) AS wanted (mac) CROSS JOIN LATERAL (
        SELECT id, identity_mac, sealed FROM students
        WHERE identity_mac = wanted.mac AND tenant_id = %(tenant)s LIMIT 1) AS s"""
_LOCK = _FIND.replace("LIMIT 1", "LIMIT 1 FOR UPDATE")
_LOOKALIKES = """
    SELECT wanted.mac FROM unnest(%(macs)b::bytea[]) AS wanted (mac) CROSS JOIN LATERAL (
        SELECT FROM students WHERE likeness_mac = wanted.mac AND tenant_id = %(tenant)s LIMIT 1) AS s"""


async def known(
    connection: AsyncConnection, tenant_id: int, identity_macs: Sequence[bytes], lock: bool = False
) -> Sequence[StudentRow]:
    """Those that exist; locked, nobody else changes them until the transaction ends."""
    values = {"tenant": tenant_id, "macs": sorted(identity_macs)}  # in order: no deadlocks
    found = await connection.exec_driver_sql(_LOCK if lock else _FIND, values)
    return [StudentRow._make(row) for row in found]


async def lookalikes(
    connection: AsyncConnection, tenant_id: int, likeness_macs: Sequence[bytes]
) -> set[bytes]:
    """Those of the likenesses that a student of the tenant has."""
    values = {"tenant": tenant_id, "macs": list(likeness_macs)}
    return set((await connection.exec_driver_sql(_LOOKALIKES, values)).scalars())


# The ids of those written stay in the database: to fetch them and send them back took a tenth of its time.
_INSERT = """
    WITH written AS (
        INSERT INTO students (tenant_id, identity_mac, likeness_mac, sealed, password_hash, job_id)
        SELECT %(tenant)s, n.identity, n.likeness, n.sealed, %(password_hash)s, %(job)s
        FROM unnest(%(identities)b::bytea[], %(likenesses)b::bytea[], %(sealed)b::bytea[])
            AS n (identity, likeness, sealed)
        ON CONFLICT DO NOTHING RETURNING id),
    enrolled AS (
        INSERT INTO enrolments (tenant_id, lecture_id, student_id, job_id)
        SELECT %(tenant)s, %(lecture)s::bigint, id, %(job)s FROM written
        WHERE %(lecture)s::bigint IS NOT NULL)
    SELECT count(*) FROM written"""

# By id alone, for the same reason: the ids were read and locked as this tenant's.
_UPDATE = """
    UPDATE students s SET likeness_mac = n.likeness, sealed = n.sealed, job_id = %(job)s, updated_at = now()
    FROM unnest(%(ids)b::bigint[], %(likenesses)b::bytea[], %(sealed)b::bytea[]) AS n (id, likeness, sealed)
    WHERE s.id = n.id"""

_COME_BACK = """
    WITH gone AS (SELECT id, left_at FROM students WHERE id = ANY(%(ids)b::bigint[]) AND left_at IS NOT NULL)
    UPDATE students s SET left_at = NULL, updated_at = now() FROM gone WHERE s.id = gone.id
    RETURNING s.id, gone.left_at"""

_ENROL = """
    INSERT INTO enrolments (tenant_id, lecture_id, student_id, job_id)
    SELECT %(tenant)s, %(lecture)s, unnest(%(ids)b::bigint[]), %(job)s ON CONFLICT DO NOTHING"""


async def insert_students(
    connection: AsyncConnection,
    tenant_id: int,
    job_id: UUID,
    new: Sequence[SealedStudent],
    password_hash: str | None,
    lecture_id: int | None = None,
) -> int:
    """Write them, and enrol them in a lecture if one is given; how many were written, for one that somebody
    else has written meanwhile is left alone."""
    values = {
        "tenant": tenant_id,
        "job": job_id,
        "password_hash": password_hash,
        "lecture": lecture_id,
        "identities": [each.identity_mac for each in new],
        "likenesses": [each.likeness_mac for each in new],
        "sealed": [each.sealed for each in new],
    }
    return int((await connection.exec_driver_sql(_INSERT, values)).scalar_one())


async def update_students(
    connection: AsyncConnection, job_id: UUID, changed: Sequence[tuple[int, SealedStudent]]
) -> None:
    """Write students whose ids `students` has given and locked."""
    values = {
        "job": job_id,
        "ids": [student_id for student_id, _ in changed],
        "likenesses": [each.likeness_mac for _, each in changed],
        "sealed": [each.sealed for _, each in changed],
    }
    await connection.exec_driver_sql(_UPDATE, values)


async def come_back(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, datetime]:
    """Students whose ids `known` has given and locked are there, whenever they left: who had, and when."""
    found = await connection.exec_driver_sql(_COME_BACK, {"ids": list(ids)})
    return {row.id: row.left_at for row in found}


async def enrol(
    connection: AsyncConnection,
    tenant_id: int,
    lecture_id: int,
    ids: Sequence[int],
    job_id: UUID | None = None,
) -> int:
    """Enrol students in a lecture; how many were not yet. `job_id`: the roster that says so."""
    values = {"tenant": tenant_id, "lecture": lecture_id, "ids": sorted(ids), "job": job_id}
    return (await connection.exec_driver_sql(_ENROL, values)).rowcount
