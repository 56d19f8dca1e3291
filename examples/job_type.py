"""A job type made as CONTRIBUTING.md says: a payload, a row, an activity.

Import it where the catalog is read (API, bridge, console), and let a worker poll its queue with
`LetterActivities` and the workflow `RunJob`.
"""

from typing import cast

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from clients.database import jobs
from clients.vault import Vault
from contracts.catalog import CATALOG, Domain, JobType
from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.names import TaskQueue
from contracts.payloads import AiPayload

QUEUE = cast(TaskQueue, "toys")  # of no worker that runs beside this; yours is a member of TaskQueue


class LetterPayload(AiPayload):
    text: str = Field(min_length=1)


CATALOG["ai.toy"] = JobType(
    name="ai.toy",
    ko="글자 세기",
    en="Letter counting",
    domain=Domain.AI,
    payload=LetterPayload,
    task_queue=QUEUE,  # the running ops worker does not know this row
    activity_queue=QUEUE,
    kept_for_retry=True,
)


class LetterActivities:
    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self._engine, self._vault = engine, vault

    @activity.defn(name="ai.toy")
    async def count(self, job: JobRef) -> JobOutcome:
        async with self._engine.connect() as connection:
            sealed = await jobs.sealed_payload(connection, job.job_id)
        assert sealed is not None
        payload = LetterPayload.model_validate(self._vault.open(sealed, str(job.job_id)))
        return JobOutcome(state=JobState.DONE, result={"letters": len(payload.text)})
