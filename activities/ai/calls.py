"""Jobs without units: one question to the database or to a model, answered as files."""

from pathlib import Path
from typing import Any

from activities.ai.captions import CaptionJobs
from activities.ai.files import JobFiles
from activities.ai.inference.jobs import Inference
from activities.ai.sandbox.task import BadInput
from activities.ai.storing import refusal, result_prefix
from activities.ai.students.exports.attendance import export_attendance
from activities.ai.students.exports.staff import export_staff
from activities.ai.students.undoing import RosterUndo
from activities.host.threads import in_thread
from activities.implements import implements
from clients.keys import TenantKeys
from contracts.activities import ai
from contracts.ai import PlannedJob
from contracts.catalog import ai_job
from contracts.jobs import JobOutcome, JobRef, JobState

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class CallActivities:
    def __init__(
        self, files: JobFiles, keys: TenantKeys, inference: Inference, captions: CaptionJobs
    ) -> None:
        self._files = files
        self._keys = keys
        self._inference = inference
        self._captions = captions

    @implements(ai.CALL)
    async def call(self, what: PlannedJob) -> JobOutcome:
        """Raises ApplicationError MODEL_*: a model that did not answer is never a result."""
        ref = what.job
        payload = await self._files.payload(ref)
        try:
            if ai_job(ref).asks_models:
                return await self._inference.run(ref, payload)
            if ai_job(ref).captions:
                return await self._captions.run(ref, payload)
            if ai_job(ref).undoes:
                return await RosterUndo(files=self._files, keys=self._keys).run(ref, payload)
            return await self._export(ref, payload)
        except BadInput as error:
            return refusal(error)

    async def _export(self, ref: JobRef, payload: dict[str, Any]) -> JobOutcome:
        assert ref.tenant_id is not None
        sealer = await self._keys.sealer(ref.tenant_id)
        kind = ref.job_type.removeprefix("ai.").removesuffix("_excel_export")
        with self._files.folder() as folder:
            path = Path(folder, f"{kind}.xlsx")
            async with self._files.engine.connect() as connection:
                if kind == "attendance":
                    await export_attendance(
                        connection,
                        sealer,
                        tenant_id=ref.tenant_id,
                        lecture_id=payload["lecture_id"],
                        path=path,
                    )
                else:
                    year, month = payload["year"], payload["month"]
                    await export_staff(
                        connection, sealer, tenant_id=ref.tenant_id, year=year, month=month, path=path
                    )
            key = result_prefix(ref.tenant_id, ref.job_id) + path.name
            await in_thread(self._files.objects.put, key, path, XLSX)
        return JobOutcome(state=JobState.DONE, result={"files": {path.name: key}})
