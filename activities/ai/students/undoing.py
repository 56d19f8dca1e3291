"""The job `ai.roster_undo`: an import of a roster is taken back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from activities.ai.files import JobFiles
from activities.ai.sandbox.task import BadInput
from activities.ai.storing import result_prefix
from activities.ai.students.rosters import CHANGES
from activities.ai.students.undo import Undone, undo
from activities.ai.tasks.roster.parse import Row
from activities.ai.tasks.roster.task import ROWS, row_of
from activities.host.threads import in_thread
from clients.database import jobs
from clients.database.jobs import SealedJob
from clients.keys import TenantKeys
from clients.objects import ObjectMissing
from contracts.errors import ROSTER_NOT_UNDOABLE
from contracts.jobs import SUCCEEDED, JobOutcome, JobRef, JobState

KEPT = "kept.json"
_TOLD = 20  # rows by number


@dataclass(frozen=True, kw_only=True)
class RosterUndo:
    files: JobFiles
    keys: TenantKeys

    async def run(self, ref: JobRef, payload: dict[str, Any]) -> JobOutcome:
        """Raises BadInput(ROSTER_NOT_UNDOABLE), KeyDestroyed."""
        assert ref.tenant_id is not None
        sealer = await self.keys.sealer(ref.tenant_id)
        async with self.files.engine.connect() as connection:
            imported = await jobs.find(connection, ref.tenant_id, payload["roster_job_id"])
            told = await jobs.stored(connection, ref.job_id)
        if told:  # this job, before its worker died
            return self._outcome(ref, told)
        if imported is None or not _is_import(imported):
            raise BadInput(ROSTER_NOT_UNDOABLE)
        added = await in_thread(self._added, imported)
        async with self.files.engine.begin() as connection:
            done = await undo(
                connection,
                sealer,
                tenant_id=ref.tenant_id,
                import_id=imported.id,
                job_id=ref.job_id,
                added=added,
            )
            if done.kept:
                await in_thread(partial(self.files.put, ref, KEPT, done.report()))
            told = done.summary() | {"rows": _rows(done)}
            await jobs.add_event(connection, ref.job_id, jobs.STORED, told)
        return self._outcome(ref, told)

    def _added(self, imported: SealedJob) -> list[Row]:
        """Whom the import has added: its files say so. Raises BadInput where they are not kept any more."""
        files = (imported.result or {}).get("files", {})
        try:
            changes = json.loads(self.files.objects.get(files[CHANGES]))
            rows = self.files.objects.get(files[ROWS])
        except (KeyError, ObjectMissing):
            raise BadInput(ROSTER_NOT_UNDOABLE) from None
        new = {(each["sheet"], each["row"]) for each in changes if each["kind"] == "new"}
        return [row for row in _read(rows) if (row.sheet, row.row) in new]

    def _outcome(self, ref: JobRef, told: dict[str, Any]) -> JobOutcome:
        summary = {name: count for name, count in told.items() if name != "rows"}
        if not summary["kept"]:
            return JobOutcome(state=JobState.DONE, result={"summary": summary})
        key = result_prefix(ref.tenant_id or 0, ref.job_id) + KEPT
        review = [f"rows not put back: {told['rows']}"]
        result = {"summary": summary, "files": {KEPT: key}, "review": review}
        return JobOutcome(state=JobState.REVIEW_REQUIRED, result=result)


def _is_import(job: SealedJob) -> bool:
    return (
        job.job_type == "ai.excel_parsing"
        and job.state in SUCCEEDED
        and (job.result or {}).get("mode") == "import"
    )


def _read(rows: bytes) -> Iterator[Row]:
    return map(row_of, rows.splitlines())


def _rows(done: Undone) -> str:
    """Their numbers, the first of them."""
    numbers = sorted({each.row for each in done.kept})
    return ", ".join(map(str, numbers[:_TOLD])) + (", …" if len(numbers) > _TOLD else "")
