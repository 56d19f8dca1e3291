"""The text of a read document, after a person has corrected a page of it."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database import jobs

CORRECTED = "corrected"  # of a job's log

# The name under which the text is found leads to the new object, another one to what was read.
_POINT = text("""
    UPDATE jobs SET result = result || jsonb_build_object(
        'files', (result -> 'files') || jsonb_build_object('text.txt', CAST(:new AS text),
            'read.txt', coalesce(result -> 'files' ->> 'read.txt', CAST(:old AS text))),
        'corrected', CAST(:pages AS jsonb))
    WHERE tenant_id = :tenant AND id = :job AND finished_at IS NOT NULL
        AND result -> 'files' ->> 'text.txt' = :old
    RETURNING id""")
# What is not noted is read anew for the search; until then the document is not found.
_FORGET = text("DELETE FROM search_texts WHERE tenant_id = :tenant AND job_id = :job")


async def point(
    connection: AsyncConnection, tenant_id: int, job_id: UUID, keys: tuple[str, str], pages: list[int]
) -> bool:
    """Lead from the text at the first of two keys to that at the second, in which the last of `pages` was
    corrected. False where another text is there by now, or none."""
    old, new = keys
    number, numbers = pages[-1], str(sorted(set(pages)))
    which = {"tenant": tenant_id, "job": job_id, "old": old, "new": new, "pages": numbers}
    if (await connection.execute(_POINT, which)).one_or_none() is None:
        return False
    await connection.execute(_FORGET, {"tenant": tenant_id, "job": job_id})
    await jobs.add_event(connection, job_id, CORRECTED, {"number": number})
    return True
