"""Which digests a job's messages join, instead of being sent by themselves."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.messaging.composing import Job
from clients.database import digests, jobs, messaging
from clients.database.accepting import Acceptance, Accepted
from clients.database.messaging_chunks import NewRecipient
from contracts.queues import digest_request
from intake.submit import Submitter
from rules.messaging.digests import closes_at, may_wait


@dataclass(frozen=True)
class Joining:
    """`notices`: position → digest, and when it closes. `accepted`: the digests, to be started once this is
    committed."""

    notices: dict[int, tuple[UUID, datetime]]
    accepted: list[Accepted]

    @property
    def closes_at(self) -> datetime | None:
        """When the last of them closes; None where nothing waits."""
        return max((closes for _, closes in self.notices.values()), default=None)

    def without(self, positions: Set[int]) -> "Joining":
        """Of those who need not be told."""
        notices = {each: to for each, to in self.notices.items() if each not in positions}
        return replace(self, notices=notices)


async def joining(
    connection: AsyncConnection, submitter: Submitter, job: Job, rows: Sequence[NewRecipient], minutes: int
) -> Joining | None:
    """The digests of a locked job's messages: each that of its phone's open window, or of one that opens now.
    None where they do not wait for others. The digests stay locked, so that all of them are in time."""
    tenant_id, draft = job.account.tenant_id, job.request.draft
    opens = closes_at(await jobs.now(connection), minutes)
    if not may_wait(draft, len(job.recipients), opens, job.expires_at):
        return None
    await digests.take_turns(connection, tenant_id)
    own = [row for row in rows if row.merged_into is None]
    windows = await digests.open_windows(connection, tenant_id, {row.phone_mac for row in own})
    found: dict[datetime, Accepted] = {}

    async def is_open(closes: datetime) -> bool:
        if closes not in found and may_wait(draft, len(job.recipients), closes, job.expires_at):
            accepted = await submitter.accept_within(connection, digest_request(tenant_id, closes))
            if accepted.status in (Acceptance.NEW, Acceptance.OPEN):
                await messaging.lock_job(connection, accepted.job_id, tenant_id)
                if await digests.takes(connection, accepted.job_id, len(own)):
                    found[closes] = accepted
        return closes in found

    notices: dict[int, tuple[UUID, datetime]] = {}
    for row in sorted(own, key=lambda row: windows.get(row.phone_mac, opens)):
        closes = windows.get(row.phone_mac, opens)
        if not await is_open(closes):
            closes = opens
            if not await is_open(closes):
                return None
        notices[row.position] = found[closes].job_id, closes
    return Joining(notices, list(found.values()))
