"""A file job's work: plan its units, compute those that are not there yet, assemble the result.

A finished unit is an immutable object. Resuming lists what exists, so heartbeats carry no cursor, and the
same file asked for again is found finished.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from activities.ai.files import PLAN, JobFiles, computed, outcome, readable
from activities.ai.inference.jobs import Inference
from activities.ai.sandbox.parent import Sandbox, regular
from activities.ai.sandbox.process import DEATHS, Child
from activities.ai.sandbox.registry import TASKS, chosen, task
from activities.ai.sandbox.task import BadInput
from activities.ai.source import Sources
from activities.ai.storing import OPENED_BY, digest_of, kind_of, parameters_of, refusal, work_prefix
from activities.ai.students.rosters import RosterActivities
from activities.host.threads import beside, in_thread
from activities.host.turns import Turn
from activities.implements import implements
from clients.objects import ObjectMissing
from clients.progress import ProgressBoard
from contracts.activities import ai
from contracts.ai import AiPlan, PlannedJob, UnitsDone, UnitsInput
from contracts.catalog import ai_job
from contracts.jobs import JobOutcome, JobRef
from contracts.progress import ai_progress


class DocumentActivities:
    def __init__(
        self,
        *,
        files: JobFiles,
        board: ProgressBoard,
        sources: Sources,
        sandbox: Sandbox,
        rosters: RosterActivities,
        inference: Inference,
    ) -> None:
        self._files = files
        self._objects = files.objects
        self._board = board
        self._sources = sources
        self._sandbox = sandbox
        self._rosters = rosters
        self._inference = inference

    @implements(ai.PLAN)
    async def plan(self, ref: JobRef) -> AiPlan:
        """Look at the job's file and name its units; a job that is one call has none."""
        name = ref.job_type.removeprefix("ai.")
        lacks_model = self._inference.lacks_model(ref)
        if name not in TASKS:
            return AiPlan(lacks_model=lacks_model)
        await self._board.show_job(ref.tenant_id or 0, ref.job_id, ai_progress("plan", 0))
        payload = await self._files.payload(ref)
        parameters = parameters_of(payload)
        locked = {OPENED_BY: payload[OPENED_BY]} if payload.get(OPENED_BY) else {}
        name = chosen(name, parameters)
        subject = task(name)
        try:
            source, suffix = await self._sources.find(ref, payload, subject.limits.source_bytes)
            async with (
                self._files.opened(ref, source, suffix) as file,
                self._sandbox.open(name, ref.job_id) as child,
            ):
                digest = await in_thread(digest_of, file)
                engine = await child.fingerprint()
                units = await child.plan(file, parameters | locked)
        except BadInput as error:
            return AiPlan(refusal=refusal(error))
        identity = parameters | {"engine": engine}
        if ai_job(ref).of_people:
            identity |= {"job": str(ref.job_id)}
        prefix = work_prefix(
            ref.tenant_id or 0, digest, task=name, version=subject.version, identity=identity
        )
        document = {
            "task": name,
            "source": source.model_dump(),
            "suffix": suffix,
            "units": units,
            "parameters": parameters,
            "engine": engine,
        } | ({"locked": True} if locked else {})
        await in_thread(self._put, prefix + PLAN, _json(document))
        return AiPlan(
            units=len(units),
            prefix=prefix,
            lacks_model=lacks_model,
            erase=ai_job(ref).of_people,
        )

    @implements(ai.RUN_UNITS)
    async def run_units(self, what: UnitsInput) -> UnitsDone:
        """Compute the units of a range that nobody has computed before, as many as fit into a turn. Raises
        `Turn.ended` where some are left."""
        turn = Turn()
        work = await self._files.work(what.plan)
        wanted = work.units[what.first : what.last + 1]
        finished = await in_thread(self._finished, what.plan.prefix, what.job)
        missing = [unit for unit in wanted if unit not in finished]
        asked = await self._files.asked(what.job, work) if missing else {}
        computed, found = 0, len(wanted) - len(missing)
        if missing:
            async with (
                self._files.opened(what.job, work.source, work.suffix) as file,
                self._sandbox.open(work.task, what.job.job_id) as child,
            ):
                while missing:
                    unit = missing.pop(0)
                    await self._run_unit(what, asked, child, file, unit)
                    finished.add(unit)
                    computed += 1
                    shown = ai_progress("run", len(finished) / len(work.units))
                    await self._board.show_job(what.job.tenant_id or 0, what.job.job_id, shown)
                    if turn.over:
                        break
        if missing:  # outside: the child stays for the next turn
            raise turn.ended()
        return UnitsDone(computed=computed, found=found)

    @implements(ai.ASSEMBLE)
    async def assemble(self, what: PlannedJob) -> JobOutcome:
        """Make the files that people get of the finished units, and store them."""
        turn = Turn()
        work = await self._files.work(what.plan)
        if ai_job(what.job).at_once:  # of a workflow that began before `ai.import_roster`
            try:
                payload = await self._files.payload(what.job)
                return await self._rosters.imported(what.job, payload, work.source, work.suffix)
            except BadInput as error:
                return refusal(error)
        with self._files.folder() as folder:
            units, out = Path(folder, "units"), Path(folder, "out")
            out.mkdir()
            results = await in_thread(self._fetch, what, work.units, units)
            try:
                async with (
                    self._files.opened(what.job, work.source, work.suffix) as file,
                    self._sandbox.open(work.task, what.job.job_id) as child,
                ):
                    asked = await self._files.asked(what.job, work)
                    done = await child.assemble(
                        file,
                        readable(results),
                        parameters=asked | {"file_key": work.source.key},
                        units=units,
                        out=out,
                    )
                    await child.end()  # no step follows
            except BadInput as error:
                return refusal(error)
            summary, names, review = done.summary, done.files, done.review
            async with beside(in_thread(self._files.put_all, what.job, out, done.files)):
                if ai_job(what.job).written_pages:
                    written = await self._inference.read_pages(what, out, turn)
                    summary, review = written.summary, review + written.review
                    added = written.store(out)
                    await in_thread(self._files.put_all, what.job, out, added)
                    names += added
        more = {"units": f"{what.plan.prefix}units/"} | ({"fallback": "ai"} if what.plan.fallback else {})
        return outcome(
            what.job, engine=work.engine, results=results, summary=summary, names=names, review=review, **more
        )

    @implements(ai.ERASE)
    async def erase(self, what: PlannedJob) -> None:
        """Remove the units of a job whose plan says so."""
        await in_thread(self._objects.erase, what.plan.prefix)

    async def _run_unit(
        self, what: UnitsInput, asked: Mapping[str, Any], child: Child, file: Path, unit: str
    ) -> None:
        """One that no child survives is this job's failure alone: the reason may have been the machine's, and
        the same file sent again is tried again."""
        units = f"{what.plan.prefix}units/"
        with self._files.folder() as folder:
            out = Path(folder)
            result = await computed(child, file, unit, parameters=asked, out=out, job_id=what.job.job_id)
            if result.get("error", {}).get("code") in DEATHS:
                units = _failures(what.plan.prefix, what.job)
            for path in regular(out):
                await in_thread(self._put, f"{units}{unit}/{path.name}", path)
        # Last: this object says that the unit is finished.
        await in_thread(self._put, f"{units}{unit}.json", _json(result))

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
