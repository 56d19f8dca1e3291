"""Notices that go in one text: windows that close within seconds, and what a carrier was handed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import insert, select

from clients.database import messaging, messaging_chunks
from clients.database.messaging_chunks import NewRecipient
from clients.database.messaging_models import MessageDigest, MessageRecipient
from contracts.queues import digest_request
from tests.lab import eventually
from tests.messages import Mail, draft, request

WINDOW = 6.0  # seconds


class Window:
    """One that is open for some phones of a tenant. In life it closes at a full minute."""

    def __init__(self, mail: Mail, tenant: int, digest: UUID, closes_at: datetime) -> None:
        self.mail, self.tenant, self.digest, self.closes_at = mail, tenant, digest, closes_at

    @classmethod
    async def of(cls, mail: Mail, tenant: int, phones: Sequence[str], seconds: float = WINDOW) -> "Window":
        """As if a notice to each of the phones had opened it, and had been suppressed."""
        closes_at = datetime.now(UTC) + timedelta(seconds=seconds)
        digest = (await mail.submitter.submit(digest_request(tenant, closes_at))).job_id
        sealer = await mail.keys.sealer(tenant)
        (first,) = await mail.submitter.accept([request(tenant, draft(), phones)])
        async with mail.lab.engine.begin() as connection:
            for each in (digest, first.job_id):
                await messaging.lock_job(connection, each, tenant)
            rows = [
                NewRecipient(n, 0, f"student-{n}", sealer.mac(phone), "", "SMS", None, None, None, n)
                for n, phone in enumerate(phones)
            ]
            await messaging_chunks.write_recipients(connection, first.job_id, tenant, rows)
            ended = MessageRecipient.__table__.update().where(MessageRecipient.job_id == first.job_id)
            await connection.execute(ended.values(state="SUPPRESSED", final_at=datetime.now(UTC)))
            places = [
                {
                    "job_id": first.job_id,
                    "position": n,
                    "tenant_id": tenant,
                    "digest_id": digest,
                    "closes_at": closes_at,
                }
                for n in range(len(phones))
            ]
            await connection.execute(insert(MessageDigest), places)
        return cls(mail, tenant, digest, closes_at)

    async def has(self, job: UUID) -> bool:
        query = select(MessageDigest.position).where(
            MessageDigest.job_id == job, MessageDigest.digest_id == self.digest
        )
        async with self.mail.lab.engine.connect() as connection:
            return bool((await connection.execute(query)).first())

    async def joined(self, *jobs: UUID) -> None:
        """Their notices are in it."""
        for job in jobs:
            await eventually(partial(self.has, job), "it has joined")

    def texts(self) -> list[tuple[str, str, str]]:
        """(phone, kind, text) of what a carrier was handed."""
        found = self.mail.simulator.ledger(self.digest.hex)
        return sorted((each["to"], each["type"], each["text"]) for each in found)
