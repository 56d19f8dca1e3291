"""Telling the submitting system how a job ended."""

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from clients.callbacks import Gone, NotDelivered, deliver
from clients.database import callbacks, jobs
from clients.keys import TenantKeys
from contracts.activities import ai
from contracts.ai import Delivery
from contracts.errors import REASONS, ErrorType


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
        secret = (await self._keys.sealer(endpoint.tenant_id)).open(endpoint.sealed_secret, callbacks.SECRET)
        code = what.outcome.error_code
        body = {
            "job_id": job.external_id,
            "job_type": what.job.job_type.removeprefix("ai."),
            "status": what.outcome.state,
            "result": what.outcome.result,
            "error_code": code,
            "error_message": REASONS[code].ko if code in REASONS else code,
        }
        try:
            await deliver(
                endpoint.url,
                secret=secret,
                delivery_id=str(what.job.job_id),
                body=body,
                inner_addresses=self._inner,
            )
        except Gone:
            return False
        except NotDelivered as error:
            raise ApplicationError(f"not delivered: {error}", type=ErrorType.NOT_DELIVERED) from None
        return True
