"""A job that Postgres has lost and Temporal knows: its row is written again.

Every workflow carries its job's row in its memo, sealed with PAYLOAD_KEYS (`Submitter.start_workflow`). Those
of releases before 0.6 carry none: of them the row holds what their workflow's ID and attributes say, and a
payload that was not read yet is gone.
"""

import logging
import re
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecution

from clients.database.restored import restore_job
from clients.vault import UnknownKey, Vault, VaultError
from contracts.jobs import JobRecord
from intake.submit import ACCEPTED, JOB_TYPE, RPC_TIMEOUT

# What `catalog.workflow_id` makes; a job adopted from release 0.1 has a word behind it.
_ID = re.compile(
    r"(?P<kind>[a-z_.]+)-t(?P<tenant>\d+)(?:-v(?P<video>\d+))?-[0-9a-f]{12}(?:-adopted|-restored)?"
)


def is_a_jobs(workflow_id: str) -> bool:
    """Whether a workflow is that of a job, and not one that writes again what a job had written."""
    return bool(_ID.fullmatch(workflow_id)) and not workflow_id.endswith(("-restored", "-adopted"))


log = logging.getLogger(__name__)


class NotOurs(Exception):
    """A workflow that no job of ours was accepted for."""


class Restorer:
    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    async def restore(self, temporal: Client, workflow_id: str, job_id: UUID) -> bool:
        """Write the job's row again out of its workflow. False if it is there. Raises NotOurs, UnknownKey,
        RPCError and the database's errors."""
        found = await temporal.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        record = await self.record(found) or _guessed(found, job_id)
        sealed = None
        if record.payload is not None:
            sealed = self._vault.seal(record.payload, str(record.job_id))
        async with self._engine.begin() as connection:
            restored = await restore_job(connection, record, sealed, found.start_time)
        if restored:
            log.error("job %s was not in the database; its workflow %s restored it", job_id, workflow_id)
        return restored

    async def record(self, workflow: WorkflowExecution) -> JobRecord | None:
        """What a workflow carries of its job; None where it carries nothing that can be read. Raises
        UnknownKey."""
        try:
            sealed = await workflow.memo_value(ACCEPTED, b"", type_hint=bytes)
            return JobRecord.model_validate_json(self._vault.decrypt(sealed, workflow.id.encode()))
        except UnknownKey:
            raise  # whoever has the key restores it whole
        except (VaultError, ValidationError):
            return None


def _guessed(workflow: WorkflowExecution, job_id: UUID) -> JobRecord:
    """Without a hash to compare with, the key alone decides whether a request is the same."""
    named = _ID.fullmatch(workflow.id)
    if named is None:
        raise NotOurs(workflow.id)
    kind = workflow.typed_search_attributes.get(JOB_TYPE) or named["kind"]
    return JobRecord(
        job_id=job_id,
        job_type="messages.send" if kind == "messages" else kind,
        tenant_id=int(named["tenant"]) or None,
        idempotency_key=f"restored:{job_id}",
        external_id=str(job_id),
        subject=None,
        video_id=int(named["video"]) if named["video"] else None,
        workflow_id=workflow.id,
        payload_sha256="restored:",
        source="restored",
        payload=None,
    )
