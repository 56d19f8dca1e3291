"""Jobs without units: one question to the database, answered as a file."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ai.exports.attendance import export_attendance
from activities.ai.exports.staff import export_staff
from activities.ai.storing import refusal, result_prefix
from activities.ai.task import BadInput
from activities.threads import in_thread
from clients.database import jobs
from clients.keys import TenantKeys
from clients.objects import Objects
from clients.vault import Vault
from contracts.ai import PlannedJob
from contracts.errors import MODEL_NOT_CONFIGURED
from contracts.jobs import JobOutcome, JobState

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Calls:
    def __init__(
        self, engine: AsyncEngine, vault: Vault, keys: TenantKeys, objects: Objects, scratch: Path
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._keys = keys
        self._objects = objects
        self._scratch = scratch

    @activity.defn(name="ai.call")
    async def call(self, what: PlannedJob) -> JobOutcome:
        """Raises ApplicationError MODEL_NOT_CONFIGURED for the kinds that need a model server: there is none
        to ask yet, and a job must not look done."""
        ref = what.job
        assert ref.tenant_id is not None
        async with self._engine.connect() as connection:
            sealed = await jobs.sealed_payload(connection, ref.job_id)
        assert sealed is not None, "a job that has ended has no work"
        payload = self._vault.open(sealed, str(ref.job_id))
        sealer = await self._keys.sealer(ref.tenant_id)
        kind = ref.job_type.removeprefix("ai.")
        with TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder, f"{kind.removesuffix('_excel_export')}.xlsx")
            try:
                async with self._engine.connect() as connection:
                    if kind == "attendance_excel_export":
                        await export_attendance(
                            connection, sealer, ref.tenant_id, payload["lecture_id"], path
                        )
                    elif kind == "staff_excel_export":
                        year, month = payload["year"], payload["month"]
                        await export_staff(connection, sealer, ref.tenant_id, year, month, path)
                    else:
                        raise ApplicationError(
                            "no model server is configured", type=MODEL_NOT_CONFIGURED, non_retryable=True
                        )
            except BadInput as error:
                return refusal(error)
            key = result_prefix(ref.tenant_id, ref.job_id) + path.name
            await in_thread(self._objects.put, key, path, XLSX)
        return JobOutcome(state=JobState.DONE, result={"files": {path.name: key}})
