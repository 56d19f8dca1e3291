"""A job's files on this host and in the store."""

import json
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.ai.sandbox.process import DEATHS, Child
from activities.ai.sandbox.task import BadInput
from activities.ai.storing import OPENED_BY, kind_of, result_prefix
from activities.host.source_cache import SourceCache
from activities.host.threads import in_thread
from clients.database import jobs
from clients.objects import Objects
from clients.vault import Vault
from contracts.ai import AiPlan
from contracts.catalog import ai_job
from contracts.errors import PAYLOAD_LOST, REASONS
from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.video import SourceRef

log = logging.getLogger(__name__)

PLAN = "plan.json"


@dataclass(frozen=True)
class Work:
    """What `plan.json` holds: the units of a file, and how to open it again. `locked`: with a password, which
    is in the job's payload alone. The plans of other files do not have it: workers of before refuse a plan
    that they do not understand, and others work on it."""

    task: str
    source: SourceRef
    suffix: str
    units: list[str]
    parameters: dict[str, Any]
    engine: str
    locked: bool = False


@dataclass(frozen=True, kw_only=True)
class JobFiles:
    """What all file jobs share: payload, plan, source and results."""

    engine: AsyncEngine
    vault: Vault
    objects: Objects
    cache: SourceCache
    scratch: Path

    @asynccontextmanager
    async def opened(self, job: JobRef, source: SourceRef, suffix: str) -> AsyncIterator[Path]:
        """The file on this host under a name with its own suffix, for as long as the body runs. One of people
        does not stay longer."""
        async with self.cache.held(source, private=ai_job(job).of_people) as cached:
            with self.folder() as folder:
                file = Path(folder, f"source{suffix}")
                file.symlink_to(cached.absolute())
                yield file

    def folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(dir=self.scratch)

    async def payload(self, ref: JobRef) -> dict[str, Any]:
        async with self.engine.connect() as connection:
            sealed = await jobs.sealed_payload(connection, ref.job_id)
        if sealed is None:  # restored without it; a job that has ended has no work
            raise ApplicationError(REASONS[PAYLOAD_LOST].en, type=PAYLOAD_LOST, non_retryable=True)
        return self.vault.open(sealed, str(ref.job_id))

    async def work(self, plan: AiPlan) -> Work:
        document = json.loads(await in_thread(self.objects.get, plan.prefix + PLAN))
        return Work(**document | {"source": SourceRef(**document["source"])})

    async def asked(self, ref: JobRef, work: Work) -> dict[str, Any]:
        """What a child is asked: the plan's parameters, and the password that it lacks."""
        if not work.locked:
            return work.parameters
        return work.parameters | {OPENED_BY: (await self.payload(ref))[OPENED_BY]}

    def put(self, job: JobRef, name: str, data: bytes | Path) -> None:
        """Store a file that people get."""
        self.objects.put(result_prefix(job.tenant_id or 0, job.job_id) + name, data, kind_of(name))

    def put_all(self, job: JobRef, folder: Path, names: Sequence[str]) -> None:
        for name in names:
            self.put(job, name, folder / name)


async def computed(
    child: Child,
    file: Path,
    unit: str,
    *,
    parameters: Mapping[str, Any],
    out: Path,
    job_id: UUID,
    prepare: Callable[[Path], None] | None = None,
) -> dict[str, Any]:
    """A unit's result; its files are below `out`, which is empty before.

    A unit that cannot be read is a result too: it must not take the other 999 pages along. One that its
    child did not survive gets a second child. `prepare` sees the folder of the first.
    """
    for last_try in (False, True):
        try:
            return await child.run(file, unit, parameters, out, None if last_try else prepare)
        except BadInput as error:
            if error.code not in DEATHS or last_try:
                return {"error": {"code": error.code, "detail": error.detail}}
            log.warning("unit %s of job %s: %s, once more", unit, job_id, error.code)
            shutil.rmtree(out)
            out.mkdir()
    raise AssertionError


Results = Sequence[tuple[str, dict[str, Any]]]


def readable(results: Results) -> list[tuple[str, dict[str, Any]]]:
    """The units that could be read. Raises the first one's BadInput if none could."""
    good = [(unit, result) for unit, result in results if "error" not in result]
    if not good:
        error = results[0][1]["error"]
        raise BadInput(error["code"], error["detail"])
    return good


def outcome(
    ref: JobRef,
    *,
    engine: str,
    results: Results,
    summary: Mapping[str, Any],
    names: Sequence[str],
    review: Sequence[str],
    **more: str,
) -> JobOutcome:
    """The end of a job of which `names` are stored, with what a person should look at."""
    prefix = result_prefix(ref.tenant_id or 0, ref.job_id)
    bad = [f"{unit}: {result['error']['code']}" for unit, result in results if "error" in result]
    found: dict[str, Any] = {
        "summary": summary,
        "files": {name: prefix + name for name in names},
        "engine": engine,
    } | more
    if review := [*review, *bad]:
        found["review"] = review[:100]
    return JobOutcome(state=JobState.REVIEW_REQUIRED if review else JobState.DONE, result=found)
