"""Telling the submitting system how a job ended."""

from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from clients.callbacks import Gone, NotDelivered, deliver
from clients.database import callbacks, jobs, messaging
from clients.database.callbacks import EndpointRow
from clients.database.jobs import JobRow
from clients.database.messaging import RecipientRow
from clients.keys import TenantKeys
from contracts.activities import ai, messages
from contracts.ai import Delivery
from contracts.errors import REASONS, ErrorType
from contracts.jobs import JobOutcome
from contracts.messaging import Telling, Told

PART = 500  # recipients told of in one request: some 50 KB


class CallbackActivities:
    def __init__(self, engine: AsyncEngine, keys: TenantKeys, inner_addresses: bool) -> None:
        self._engine = engine
        self._keys = keys
        self._inner = inner_addresses

    @implements(ai.DELIVER)
    async def deliver(self, what: Delivery) -> bool:
        """POST the end of the job to the address that its tenant has registered; False if there is none, or
        nobody takes it any more. Raises ApplicationError to be tried again."""
        async with self._engine.connect() as connection:
            endpoint = await callbacks.find(connection, what.job.tenant_id or 0)
            job = await jobs.get(connection, what.job.job_id)
        if endpoint is None:
            return False
        return await self._post(endpoint, str(what.job.job_id), _ended(job, what.outcome))

    @implements(messages.TELL)
    async def tell(self, what: Telling) -> Told:
        """POST who got which message of a job that has ended, PART recipients at a time, to a tenant that
        wants to hear of messages. Positions and the tenant's own ids only: no phone, no name, no text. Each
        part keeps its delivery's id. Raises ApplicationError to be tried again."""
        async with self._engine.connect() as connection:
            endpoint = await callbacks.find(connection, what.tenant_id)
            job = await jobs.get(connection, what.job_id)
            key = await jobs.own_key(connection, what.job_id)
            about = await messaging.find_job(connection, what.job_id)
            people = await messaging.recipients(connection, what.job_id, what.after, PART)
        if endpoint is None or not endpoint.messages:
            return Told()
        parts = max(1, -(-((about and about.recipients) or 0) // PART))
        body = _ended(job, what.outcome) | {
            "idempotency_key": key,
            "part": what.part,
            "parts": parts,
            "recipients": [_shown(each) for each in people],
        }
        taken = await self._post(endpoint, str(delivery_id(what.job_id, what.part)), body)
        return Told(next=people[-1].position if taken and what.part < parts and people else None)

    async def _post(self, endpoint: EndpointRow, delivery: str, body: dict[str, Any]) -> bool:
        secret = (await self._keys.sealer(endpoint.tenant_id)).open(endpoint.sealed_secret, callbacks.SECRET)
        try:
            await deliver(
                endpoint.url,
                secret=secret,
                delivery_id=delivery,
                body=body,
                inner_addresses=self._inner,
            )
        except Gone:
            return False
        except NotDelivered as error:
            raise ApplicationError(f"not delivered: {error}", type=ErrorType.NOT_DELIVERED) from None
        return True


def delivery_id(job_id: UUID, part: int) -> UUID:
    """Of a part of what became of a message; the same for every try of it."""
    return uuid5(job_id, f"messages/{part}")


def _ended(job: JobRow, outcome: JobOutcome) -> dict[str, Any]:
    code = outcome.error_code
    return {
        "job_id": job.external_id,
        "job_type": job.job_type.removeprefix("ai."),
        "status": outcome.state,
        "result": outcome.result,
        "error_code": code,
        "error_message": REASONS[code].ko if code in REASONS else code,
    }


def _shown(each: RecipientRow) -> dict[str, Any]:
    return {
        "position": each.position,
        "id": each.recipient_id,
        "state": each.state,
        "code": each.code,
        "channel": each.sent_as or each.channel,
    }
