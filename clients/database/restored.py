"""Rows that were lost with a database, written again. The caller holds the transaction."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.jobs import add_event
from clients.database.models import Job, Tenant
from contracts.jobs import JobRecord


async def restore_job(
    connection: AsyncConnection, record: JobRecord, sealed: bytes | None, accepted_at: datetime
) -> bool:
    """Write a job's row again, open and marked as restored. False if it is there.

    Another open job may have its subject: then it goes without one, because its workflow runs anyway.
    """
    if record.tenant_id is not None:
        await connection.execute(insert(Tenant).values(id=record.tenant_id).on_conflict_do_nothing())
    for subject in (record.subject, None):
        written = await connection.execute(
            insert(Job)
            .values(
                id=record.job_id,
                tenant_id=record.tenant_id,
                job_type=record.job_type,
                idempotency_key=record.idempotency_key,
                external_id=record.external_id,
                subject=subject,
                video_id=record.video_id,
                workflow_id=record.workflow_id,
                payload_sha256=record.payload_sha256,
                source=record.source,
                sealed_payload=sealed,
                accepted_at=accepted_at,
                restored_at=func.now(),
            )
            .on_conflict_do_nothing()
            .returning(Job.id)
        )
        if written.one_or_none():
            await add_event(connection, record.job_id, "restored")
            return True
    return False
