"""A file job's work: plan its units, compute those that are not there yet, assemble the result.

A finished unit is an immutable object. Resuming lists what exists, so heartbeats carry no cursor, and the
same file asked for again is found finished.
"""

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.ai.inferring.jobs import Inferring
from activities.ai.registry import TASKS, chosen, task
from activities.ai.roster.passwords import hashed
from activities.ai.rosters import CHANGES, Rosters
from activities.ai.sandbox import Child, Sandbox
from activities.ai.source import Sources
from activities.ai.storing import (
    digest_of,
    kind_of,
    parameters_of,
    refusal,
    result_prefix,
    work_prefix,
)
from activities.ai.task import BadInput
from activities.threads import beside, in_thread
from activities.video.cache import SourceCache
from clients.database import jobs
from clients.objects import ObjectMissing, Objects
from clients.progress import ProgressBoard
from clients.vault import Vault
from contracts.ai import AiPlan, PlannedJob, UnitsDone, UnitsInput
from contracts.errors import TASK_CRASHED, TASK_OUT_OF_MEMORY, TASK_TIMED_OUT
from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.progress import ai_progress
from contracts.video import SourceRef

log = logging.getLogger(__name__)

PLAN = "plan.json"
ROSTER, HANDWRITING = "excel_parsing", "handwriting_analysis"
DEATHS = (TASK_OUT_OF_MEMORY, TASK_TIMED_OUT, TASK_CRASHED)


@dataclass(frozen=True)
class Work:
    """What `plan.json` holds: the units of a file, and how to open it again."""

    task: str
    source: SourceRef
    suffix: str
    units: list[str]
    parameters: dict[str, Any]
    engine: str


class Working:
    def __init__(
        self,
        engine: AsyncEngine,
        vault: Vault,
        objects: Objects,
        board: ProgressBoard,
        cache: SourceCache,
        sources: Sources,
        sandbox: Sandbox,
        rosters: Rosters,
        inferring: Inferring,
        scratch: Path,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._objects = objects
        self._board = board
        self._cache = cache
        self._sources = sources
        self._sandbox = sandbox
        self._rosters = rosters
        self._inferring = inferring
        self._scratch = scratch

    @activity.defn(name="ai.plan")
    async def plan(self, ref: JobRef) -> AiPlan:
        """Look at the job's file and name its units; a job that is one call has none."""
        name = ref.job_type.removeprefix("ai.")
        lacks_model = self._inferring.lacks_model(name)
        if name not in TASKS:
            return AiPlan(lacks_model=lacks_model)
        await self._board.show_job(ref.tenant_id or 0, ref.job_id, ai_progress("plan", 0))
        payload = await self._payload(ref)
        parameters = parameters_of(payload)
        name = chosen(name, parameters)
        subject = task(name)
        try:
            source, suffix = await self._sources.find(
                ref.tenant_id or 0, payload, subject.limits.source_bytes
            )
            async with self._opened(source, suffix) as file, self._sandbox.open(name, ref.job_id) as child:
                digest = await in_thread(digest_of, file)
                engine = await child.fingerprint()
                units = await child.plan(file, parameters)
        except BadInput as error:
            return AiPlan(refusal=refusal(error))
        identity = parameters | {"engine": engine}
        if name == ROSTER:  # its rows are people: nobody else's work, and erased when the job has ended
            identity |= {"job": str(ref.job_id)}
        prefix = work_prefix(ref.tenant_id or 0, digest, name, subject.version, identity)
        document = {
            "task": name,
            "source": source.model_dump(),
            "suffix": suffix,
            "units": units,
            "parameters": parameters,
            "engine": engine,
        }
        await in_thread(self._put, prefix + PLAN, _json(document))
        return AiPlan(
            units=len(units),
            prefix=prefix,
            source_key=source.key,
            lacks_model=lacks_model,
            erase=name == ROSTER,
        )

    @activity.defn(name="ai.run_units")
    async def run_units(self, what: UnitsInput) -> UnitsDone:
        """Compute the units of a range that nobody has computed before."""
        work = await self._work(what.plan)
        wanted = work.units[what.first : what.last + 1]
        finished = await in_thread(self._finished, what.plan.prefix, what.job)
        missing = [unit for unit in wanted if unit not in finished]
        if missing:
            async with (
                self._opened(work.source, work.suffix) as file,
                self._sandbox.open(work.task, what.job.job_id) as child,
            ):
                for unit in missing:
                    await self._run_unit(what, work, child, file, unit)
                    finished.add(unit)
                    shown = ai_progress("run", len(finished) / len(work.units))
                    await self._board.show_job(what.job.tenant_id or 0, what.job.job_id, shown)
        return UnitsDone(computed=len(missing), found=len(wanted) - len(missing))

    @activity.defn(name="ai.assemble")
    async def assemble(self, what: PlannedJob) -> JobOutcome:
        """Make the files that people get of the finished units, and store them."""
        work = await self._work(what.plan)
        payload = await self._payload(what.job) if work.task == ROSTER else {}
        password = None if payload.get("dry_run") else payload.get("initial_password")
        async with beside(hashed, password) as password_hash:  # takes as long as a small roster's all
            return await self._assembled(what, work, payload, password_hash)

    @activity.defn(name="ai.erase")
    async def erase(self, what: PlannedJob) -> None:
        """Remove the units of a job whose plan says so."""
        await in_thread(self._objects.erase, what.plan.prefix, lambda _: None)

    async def _assembled(
        self,
        what: PlannedJob,
        work: Work,
        payload: dict[str, Any],
        password_hash: asyncio.Task[str] | None,
    ) -> JobOutcome:
        prefix = result_prefix(what.job.tenant_id or 0, what.job.job_id)
        with TemporaryDirectory(dir=self._scratch) as folder:
            units, out = Path(folder, "units"), Path(folder, "out")
            out.mkdir()

            def store(names: Sequence[str]) -> None:
                for name in names:
                    self._put(prefix + name, out / name)

            results = await in_thread(self._fetch, what, work.units, units)
            bad = {unit: result["error"] for unit, result in results if "error" in result}
            good = [(unit, result) for unit, result in results if "error" not in result]
            if not good:
                first = next(iter(bad.values()))
                return refusal(BadInput(first["code"], first["detail"]))
            try:
                async with (
                    self._opened(work.source, work.suffix) as file,
                    self._sandbox.open(work.task, what.job.job_id) as child,
                ):
                    done = await child.assemble(file, good, work.parameters, units, out)
                    await child.end()  # no step follows
            except BadInput as error:
                return refusal(error)
            summary, review = done.summary, done.review
            more: tuple[str, ...] = ()
            async with beside(store, done.files):
                if work.task == ROSTER:
                    summary |= await self._rosters.apply(what.job, payload, password_hash, out)
                    more = (CHANGES,)
                elif work.task == HANDWRITING:
                    written = await self._inferring.read_pages(what, out)
                    summary, review = written.summary, review + written.review
                    more = written.store(out)
            await in_thread(store, more)
        review += tuple(f"{unit}: {error['code']}" for unit, error in bad.items())
        files = {name: prefix + name for name in done.files + more}
        result = {"summary": summary, "files": files, "engine": work.engine}
        if not what.plan.erase:
            result["units"] = f"{what.plan.prefix}units/"
        if review:
            result["review"] = review[:100]
        if what.plan.fallback:
            result["fallback"] = "ai"
        return JobOutcome(state=JobState.REVIEW_REQUIRED if review else JobState.DONE, result=result)

    async def _run_unit(self, what: UnitsInput, work: Work, child: Child, file: Path, unit: str) -> None:
        """A unit that cannot be read is a result too: it must not take the other 999 pages along.

        One that its child did not survive gets a second child. If that dies as well, the failure is this
        job's alone: the reason may have been the machine's, and the same file sent again is tried again.
        """
        units = f"{what.plan.prefix}units/"
        result: dict[str, Any] = {}
        for last_try in (False, True):
            with TemporaryDirectory(dir=self._scratch) as folder:
                out = Path(folder)
                try:
                    result = await child.run(file, unit, work.parameters, out)
                except BadInput as error:
                    if error.code in DEATHS and not last_try:
                        log.warning("unit %s of job %s: %s, once more", unit, what.job.job_id, error.code)
                        continue
                    result = {"error": {"code": error.code, "detail": error.detail}}
                    if error.code in DEATHS:
                        units = _failures(what.plan.prefix, what.job)
                for path in sorted(out.iterdir()):
                    await in_thread(self._put, f"{units}{unit}/{path.name}", path)
            break
        # Last: this object says that the unit is finished.
        await in_thread(self._put, f"{units}{unit}.json", _json(result))

    @asynccontextmanager
    async def _opened(self, source: SourceRef, suffix: str) -> AsyncIterator[Path]:
        """The file on this host under a name with its own suffix, for as long as the body runs."""
        async with self._cache.held(source, lambda _: None) as cached:
            with TemporaryDirectory(dir=self._scratch) as folder:
                file = Path(folder, f"source{suffix}")
                try:
                    file.hardlink_to(cached)
                except OSError:  # another file system
                    await in_thread(shutil.copyfile, cached, file)
                yield file

    async def _payload(self, ref: JobRef) -> dict[str, Any]:
        async with self._engine.connect() as connection:
            sealed = await jobs.sealed_payload(connection, ref.job_id)
        assert sealed is not None, "a job that has ended has no work"
        return self._vault.open(sealed, str(ref.job_id))

    async def _work(self, plan: AiPlan) -> Work:
        document = json.loads(await in_thread(self._objects.get, plan.prefix + PLAN))
        return Work(**document | {"source": SourceRef(**document["source"])})

    def _put(self, key: str, data: bytes | Path) -> None:
        self._objects.put(key, data, kind_of(key))

    def _finished(self, prefix: str, job: JobRef) -> set[str]:
        found = set()
        for folder in (f"{prefix}units/", _failures(prefix, job)):
            names = (key.removeprefix(folder) for key, _ in self._objects.list(folder))
            found |= {name.removesuffix(".json") for name in names if "/" not in name}
        return found

    def _fetch(
        self, what: PlannedJob, names: Sequence[str], folder: Path
    ) -> list[tuple[str, dict[str, Any]]]:
        """Results in the order of the units; their own files below `folder`."""
        prefix = f"{what.plan.prefix}units/"
        for key, _ in self._objects.list(prefix):
            unit, _, name = key.removeprefix(prefix).partition("/")
            if name:
                path = folder / unit / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self._objects.get(key))
        return [(name, json.loads(self._result(what, name))) for name in names]

    def _result(self, what: PlannedJob, unit: str) -> bytes:
        try:
            return self._objects.get(f"{what.plan.prefix}units/{unit}.json")
        except ObjectMissing:
            return self._objects.get(f"{_failures(what.plan.prefix, what.job)}{unit}.json")


def _failures(prefix: str, job: JobRef) -> str:
    return f"{prefix}failures/{job.job_id}/"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
