"""Messages in tests: accounts, jobs, and what really was handed to a carrier."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from clients.database import credits, messaging, messaging_groups
from clients.database.messaging import RecipientRow
from clients.database.messaging_groups import GroupRow
from clients.database.messaging_models import (
    CreditEntry,
    MessageChunk,
    MessageGroup,
    MessagingAccount,
    NotificationLog,
    SenderNumber,
)
from clients.database.models import Job, Tenant
from clients.keys import TenantKeys
from clients.vault import Vault
from contracts.jobs import FINAL_STATES, JobOutcome, JobRequest, payload_sha256
from contracts.messaging import ChunkRef, Draft, Recipient, SendRequest
from devstack.solapi.client import Simulator
from tests.lab import Lab, PatientSubmitter, eventually, fresh_id

SENDER = "0212345678"
PRICES = {"price_sms": 20, "price_lms": 50, "price_mms": 110, "price_ata": 13}
WORKERS = ("messaging", "ops")
FAST = {"SOLAPI_REQUESTS_PER_SECOND": "500"}
_numbers = itertools.count(1)


def phones(count: int, kind: str = "2") -> list[str]:
    """Numbers that no other test of this process uses. `kind` follows 010; 4040 and a digit have a fate
    (`devstack.solapi.carriers`)."""
    width = 8 - len(kind)
    return [f"010{kind}{next(_numbers) % 10**width:0{width}}" for _ in range(count)]


def draft(text: str = "내일은 휴원입니다.", **more: Any) -> Draft:
    return Draft(text=text, **more)


def request(
    tenant: int, what: Draft, recipients: Sequence[Recipient | str], key: str = "", **more: Any
) -> JobRequest:
    people = [
        each if isinstance(each, Recipient) else Recipient(id=f"student-{n}", to=each)
        for n, each in enumerate(recipients)
    ]
    payload = SendRequest(draft=what, recipients=tuple(people), **more).model_dump(mode="json")
    return JobRequest(
        job_type="messages.send",
        tenant_id=tenant,
        idempotency_key=key or f"request-{fresh_id()}",
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="test",
    )


class Mail:
    """One stack's messages, seen from outside: from the database, and from the provider's ledger."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.vault = Vault(lab.settings.payload_keys.get_secret_value())
        self.keys = TenantKeys(lab.engine, self.vault)
        self.submitter = PatientSubmitter(lab.engine, lab.temporal, self.vault)
        self.simulator = Simulator(lab.settings.solapi_base_url)

    async def account(self, credit: int = 1_000_000, **values: Any) -> int:
        """A new tenant with a messaging account."""
        tenant = fresh_id()
        async with self.lab.engine.begin() as connection:
            await connection.execute(insert(Tenant).values(id=tenant))
            row = {"tenant_id": tenant, "sender": SENDER} | PRICES | values
            await connection.execute(insert(MessagingAccount).values(row))
            await connection.execute(insert(SenderNumber).values(tenant_id=tenant, number=SENDER))
            await credits.top_up(connection, tenant, Decimal(credit), f"start-{tenant}")
        return tenant

    async def send(
        self, tenant: int, recipients: Sequence[Recipient | str], what: Draft | None = None, **more: Any
    ) -> UUID:
        return (await self.submitter.submit(request(tenant, what or draft(), recipients, **more))).job_id

    def handle(self, tenant: int, job: UUID) -> WorkflowHandle[Any, JobOutcome]:
        return self.lab.temporal.get_workflow_handle(
            f"messages-t{tenant}-{job.hex[:12]}", result_type=JobOutcome
        )

    async def ended(self, job: UUID, every: float = 0.4) -> Row[Any]:
        """The job's row, once it is final. Where fifty wait at once, let them ask seldom."""

        async def look() -> Row[Any] | None:
            async with self.lab.engine.connect() as connection:
                row = (await connection.execute(select(Job).where(Job.id == job))).one()
            return row if row.state in FINAL_STATES else None

        row = await eventually(look, f"messages job {job} ended", every)
        assert row is not None
        return row

    async def stage(self, tenant: int, job: UUID, name: str) -> None:
        """The workflow has come to a stage (search attribute, read from the execution itself)."""
        handle = self.handle(tenant, job)

        async def look() -> bool:
            with suppress(RPCError):  # not started yet
                return (await handle.describe()).search_attributes.get("Stage") == [name]
            return False

        await eventually(look, f"stage {name}")

    async def recipients(self, job: UUID) -> list[RecipientRow]:
        async with self.lab.engine.connect() as connection:
            return list(await messaging.recipients(connection, job, -1, 1_000_000))

    async def states(self, job: UUID) -> list[tuple[str, str | None]]:
        return [(each.state, each.code) for each in await self.recipients(job)]

    async def parked(self, people: int, what: Draft | None = None) -> tuple[int, UUID]:
        """Tenant and job of a committed group that waits for the provider's balance, which is empty from here
        on (fixture `full_again`)."""
        tenant = await self.account()
        self.simulator.settings(balance=0)
        job = await self.send(tenant, phones(people), what)
        await self.stage(tenant, job, "waiting for the provider's balance")
        return tenant, job

    async def texts(self, job: UUID) -> list[list[bytes] | None]:
        """The sealed texts of each chunk, None when they are gone."""
        query = select(MessageChunk.sealed).where(MessageChunk.job_id == job).order_by(MessageChunk.chunk)
        async with self.lab.engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def group(self, tenant: int, job: UUID) -> GroupRow | None:
        async with self.lab.engine.connect() as connection:
            return await messaging_groups.group(connection, ChunkRef(job_id=job, tenant_id=tenant, chunk=0))

    async def in_state(self, tenant: int, job: UUID, state: str) -> Row[Any]:
        async def look() -> Row[Any] | None:
            row = await self.group(tenant, job)
            return row if row is not None and row.state == state else None

        row = await eventually(look, f"group {state}")
        assert row is not None
        return row

    def sent(self, job: UUID) -> list[str]:
        """Phones that a carrier was handed something for, one entry for each message."""
        return sorted(each["to"] for each in self.simulator.ledger(job.hex))

    async def balance(self, tenant: int) -> int:
        """The credit in won. It must be the sum of the ledger, and the log must tell what was deducted."""
        async with self.lab.engine.connect() as connection:
            account = await credits.account(connection, tenant)
            assert account is not None
            assert account.credit_balance == await credits.ledger_sum(connection, tenant)
            return int(account.credit_balance)

    async def entries(self, job: UUID) -> list[tuple[int, str, int]]:
        """(position, kind, won) of a job in the ledger."""
        query = select(CreditEntry).where(CreditEntry.job_id == job).order_by(CreditEntry.id)
        async with self.lab.engine.connect() as connection:
            return sorted((e.position, e.kind, int(e.amount)) for e in await connection.execute(query))

    async def log(self, job: UUID) -> list[Row[Any]]:
        query = select(NotificationLog).where(NotificationLog.job_id == job)
        async with self.lab.engine.connect() as connection:
            return list(await connection.execute(query.order_by(NotificationLog.position)))

    async def delivered_once(self, job: UUID, tenant: int, wanted: Sequence[str], spent: int) -> None:
        """Everybody wanted got one message, nobody else any, and the tenant paid for each once."""
        assert self.sent(job) == sorted(wanted)
        assert {each.state for each in await self.recipients(job)} == {"DELIVERED"}
        assert len(await self.recipients(job)) == len(wanted)
        assert await self.balance(tenant) == 1_000_000 - spent
        assert [each.success for each in await self.log(job)] == [True] * len(wanted)

    async def groups(self, tenant: int, job: UUID) -> list[Row[Any]]:
        query = select(MessageGroup).where(MessageGroup.tenant_id == tenant, MessageGroup.job_id == job)
        async with self.lab.engine.connect() as connection:
            return list(await connection.execute(query.order_by(MessageGroup.chunk)))

    async def cancel(self, tenant: int, job: UUID) -> str:
        """As the API does it; gives what the database proved."""
        async with self.lab.engine.begin() as connection:
            proven = await messaging.request_cancel(connection, job, tenant)
        await self.handle(tenant, job).signal("cancel")
        return proven

    async def move_time(self, job: UUID, **values: Any) -> None:
        """Write columns of a job's row, such as a `finished_at` of long ago."""
        async with self.lab.engine.begin() as connection:
            await connection.execute(Job.__table__.update().where(Job.id == job).values(**values))
