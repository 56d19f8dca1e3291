"""A roster is read, and the students that it adds and changes are written, or would be."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError
from temporalio.exceptions import ApplicationError

from activities.ai.files import JobFiles, computed, outcome, readable
from activities.ai.sandbox.parent import Sandbox, regular
from activities.ai.sandbox.process import Child
from activities.ai.sandbox.task import BadInput
from activities.ai.source import Sources
from activities.ai.storing import refusal, result_prefix
from activities.ai.students import commit
from activities.ai.students.commit import Diff, Interfered
from activities.ai.students.passwords import hashed
from activities.ai.students.tail import Superseded, Tail
from activities.ai.tasks.roster.parse import Row
from activities.ai.tasks.roster.survey import Surveyed
from activities.ai.tasks.roster.task import COLUMNS, GOOD, ROSTER, ROWS, read_rows
from activities.host.threads import beside, in_thread
from activities.implements import implements
from clients.database import jobs
from clients.keys import TenantKeys
from clients.progress import ProgressBoard
from contracts.activities import ai
from contracts.errors import ErrorType
from contracts.jobs import JobOutcome, JobRef
from contracts.progress import ai_progress
from contracts.video import SourceRef

log = logging.getLogger(__name__)

CHANGES = "changes.json"
MOST_COLUMNS = 1 << 20  # bytes about the columns of a sheet: a child may have written anything


class _Stored(Exception):
    """This job's students are written already; `told`: how many of which kind."""

    def __init__(self, told: dict[str, int]) -> None:
        super().__init__()
        self.told = told


_Write = Callable[[Iterable[Row]], Coroutine[Any, Any, dict[str, int]]]


@dataclass(frozen=True, kw_only=True)
class RosterActivities:
    files: JobFiles
    board: ProgressBoard
    sources: Sources
    sandbox: Sandbox
    keys: TenantKeys

    @implements(ai.IMPORT_ROSTER)
    async def import_roster(self, ref: JobRef) -> JobOutcome:
        """Read a roster and write its students, all or none. The same again changes nothing.

        Most rosters have one sheet, and nobody in it twice: its first rows are written while the next ones
        are read. Where that turns out wrong they are taken back, and what was made of all sheets is written.
        With `dry_run` in the payload nothing is.
        """
        payload = await self.files.payload(ref)
        try:
            source, suffix = await self.sources.find(ref, payload, ROSTER.limits.source_bytes)
            return await self.imported(ref, payload, source, suffix)
        except BadInput as error:
            return refusal(error)

    async def imported(
        self, ref: JobRef, payload: dict[str, Any], source: SourceRef, suffix: str
    ) -> JobOutcome:
        """Raises BadInput."""
        await self.board.show_job(ref.tenant_id or 0, ref.job_id, ai_progress("run", 0))
        password = None if payload.get("dry_run") else payload.get("initial_password")
        async with (
            # Takes as long as a small roster's all.
            beside(in_thread(hashed, password)) if password else nullcontext() as password_hash,
            self.files.opened(ref, source, suffix) as file,
            self.sandbox.open(ROSTER.name, ref.job_id) as child,
        ):
            with self.files.folder() as folder:
                write = partial(self._write, ref, payload, password_hash)
                surveyed: list[Surveyed] = []
                try:
                    return await self._imported(ref, payload, child, file, Path(folder), surveyed, write)
                except BadInput as error:
                    return await self._refused(ref, payload, surveyed, error)
                except Interfered:
                    raise ApplicationError(
                        "another roster was written meanwhile", type=ErrorType.INTERFERED
                    ) from None

    async def _refused(
        self, ref: JobRef, payload: dict[str, Any], surveyed: Sequence[Surveyed], error: BadInput
    ) -> JobOutcome:
        """With what stands over its columns: somebody may say what they are."""
        refused = refusal(error)
        if not surveyed:
            return refused
        await in_thread(self._put_columns, ref, payload, surveyed)
        result = refused.result | {
            "files": {COLUMNS: result_prefix(ref.tenant_id or 0, ref.job_id) + COLUMNS},
            "mode": _mode(payload),
            "file_key": payload["file_key"],
        }
        return refused.model_copy(update={"result": result})

    def _put_columns(self, ref: JobRef, payload: dict[str, Any], surveyed: Sequence[Surveyed]) -> None:
        sheets = [sheet.model_dump() for sheet in surveyed]
        self.files.put(ref, COLUMNS, to_json({"chosen": payload.get("columns") or {}, "sheets": sheets}))

    async def _imported(
        self,
        ref: JobRef,
        payload: dict[str, Any],
        child: Child,
        file: Path,
        folder: Path,
        surveyed: list[Surveyed],
        write: _Write,
    ) -> JobOutcome:
        """`surveyed` gets what stands over the columns of each sheet. Raises BadInput, Interfered."""
        units, out = folder / "units", folder / "out"
        units.mkdir()
        out.mkdir()
        engine = await child.fingerprint()
        parameters = {"columns": payload["columns"]} if payload.get("columns") else {}
        results: list[tuple[str, dict[str, Any]]] = []
        with closing(Tail()) as tail:
            early = asyncio.create_task(write(tail))
            try:
                for name in await child.plan(file, parameters):
                    (units / name).mkdir()
                    result = await computed(
                        child,
                        file,
                        name,
                        parameters=parameters,
                        out=units / name,
                        job_id=ref.job_id,
                        prepare=lambda made: tail.next(made / GOOD),
                    )
                    results.append((name, result))
                    if sheet := await in_thread(_surveyed, units / name, ref.job_id):
                        surveyed.append(sheet)
                done = await child.assemble(
                    file, readable(results), parameters=parameters, units=units, out=out
                )
                await child.end()  # no step follows
            except BaseException:
                tail.end(None)
                early.cancel()
                await asyncio.gather(early, return_exceptions=True)
                raise
            tail.end(done.summary.get("students"))
            await in_thread(self._put_columns, ref, payload, surveyed)
            async with beside(in_thread(self.files.put_all, ref, out, done.files)):
                try:
                    found = await early
                except (Superseded, Interfered, SQLAlchemyError) as error:
                    log.info("job %s: its early rows are taken back: %s", ref.job_id, type(error).__name__)
                    found = await write(read_rows(out / ROWS))
        summary = done.summary | found
        return outcome(
            ref,
            engine=engine,
            results=results,
            summary=summary,
            names=(*done.files, CHANGES, COLUMNS),
            review=done.review,
            mode=_mode(payload),
            file_key=payload["file_key"],
        )

    async def _write(
        self,
        ref: JobRef,
        payload: dict[str, Any],
        password_hash: asyncio.Task[str] | None,
        rows: Iterable[Row],
    ) -> dict[str, int]:
        """Counts of what was written, now or by this job before its worker died: said in the transaction, and
        what became of each row stays as it was then. Raises Superseded, Interfered."""
        assert ref.tenant_id is not None
        sealer = await self.keys.sealer(ref.tenant_id)

        def keep(diff: Diff) -> None:
            self.files.put(ref, CHANGES, diff.report())

        async with self.files.engine.begin() as connection:
            if payload.get("dry_run"):
                tried = await commit.diff(connection, sealer, tenant_id=ref.tenant_id, rows=rows, keep=keep)
                return tried.summary()

            async def held() -> None:
                if told := await jobs.stored(connection, ref.job_id):
                    raise _Stored(told)

            try:
                done = await commit.commit(
                    connection,
                    sealer,
                    tenant_id=ref.tenant_id,
                    job_id=ref.job_id,
                    rows=rows,
                    keep=keep,
                    held=held,
                    password_hash=password_hash,
                    lecture_id=payload.get("lecture_id"),
                )
            except _Stored as stored:
                return stored.told
            await jobs.add_event(connection, ref.job_id, jobs.STORED, done.summary())
            return done.summary()


def _surveyed(unit: Path, job_id: UUID) -> Surveyed | None:
    """What the child has found over the columns of a sheet, before it gets its results back."""
    for path in regular(unit):
        if path.name == COLUMNS and path.stat().st_size < MOST_COLUMNS:
            try:
                return Surveyed.model_validate_json(path.read_bytes())
            except ValidationError:
                log.warning("job %s: what is known of its columns is not to be read", job_id)
    return None


def _mode(payload: dict[str, Any]) -> str:
    return "preview" if payload.get("dry_run") else "import"
