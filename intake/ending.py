"""The end of a job, written with all that belongs to it, whether or not its activities had written it before:
a database may be from before they did."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus

from clients.database import captions, jobs, messaging, trims, videos
from clients.database.jobs import JobRow
from clients.database.trims import Part
from clients.database.videos import NotCurrent, VideoRow
from clients.objects import Objects
from clients.vault import Vault
from contracts.captions import Origin
from contracts.catalog import CATALOG, Domain
from contracts.errors import REASONS, RESULT_LOST
from contracts.jobs import FINAL_STATES, SUCCEEDED, JobOutcome
from contracts.messaging import WITHOUT_END
from contracts.trim import version_name
from contracts.video import hls_root
from intake.captions import moved_along
from intake.versions import stored_version

PUBLISHES = ("video.encode", "video.trim")
"""Job types that make versions."""


class BaseNotShown(Exception):
    """What a trim was made of is not written again yet: worth another look."""


class Endings:
    def __init__(self, engine: AsyncEngine, temporal: Client, objects: Objects, vault: Vault) -> None:
        self._engine = engine
        self._temporal = temporal
        self._objects = objects
        self._vault = vault

    async def write(self, job_id: UUID, outcome: JobOutcome) -> JobOutcome:
        """Write the final state once, on the job and its video; returns the state that stands.

        An encode or trim has not succeeded before its version is shown: one that the database does not know
        is read from the store, and the job is RESULT_LOST if that has none. Raises JobMissing, RPCError.
        """
        if outcome.state in SUCCEEDED:
            async with self._engine.connect() as connection:
                job = await jobs.get(connection, job_id)
            if job.state not in FINAL_STATES and job.job_type in PUBLISHES:
                outcome = await self._shown(job, outcome)
        async with self._engine.begin() as connection:
            standing = await jobs.finish(connection, job_id, outcome)
            if standing.error_code:
                await videos.fail_encode(connection, job_id, standing.error_code)
            elif outcome.state in SUCCEEDED and job.job_type == "video.delete":
                await self._tombstone(connection, job)
            return standing

    async def rows_are_lost(self, job_id: UUID, outcome: JobOutcome) -> bool:
        """Whether a job wrote rows that a database which went back since does not have. It is left open then:
        the reconciler has it made again. Raises JobMissing."""
        async with self._engine.connect() as connection:
            job = await jobs.get(connection, job_id)
            if job.state in FINAL_STATES:
                return False
            kind = CATALOG.get(job.job_type)
            if kind is None:  # of others, whose workers have it
                return False
            if kind.domain is Domain.MESSAGING:
                known = await messaging.counts(connection, job_id)
                told = int(outcome.result.get("total", 0))
                return known.keys() & WITHOUT_END != set() or sum(known.values()) < told
            wrote = kind.ai.in_rows and outcome.state in SUCCEEDED and _wrote(job.job_type, outcome.result)
            return wrote and not await jobs.has_stored(connection, job_id)

    async def _shown(self, job: JobRow, outcome: JobOutcome) -> JobOutcome:
        tenant_id, video_id = job.tenant_id, job.video_id
        assert tenant_id is not None and video_id is not None, "an encode is of somebody's video"
        async with self._engine.connect() as connection:
            video = await videos.find(connection, tenant_id, video_id)
            if video and await videos.has_or_had(connection, video, job):
                return outcome
            sealed = await jobs.sealed_payload(connection, job.id)
        stored = await asyncio.to_thread(stored_version, self._objects, tenant_id, video_id, job.id)
        if stored is None:
            async with self._engine.connect() as connection:
                if await videos.is_to_be_deleted(connection, job):
                    return outcome
            if await self._was_followed(job):
                return outcome
            return JobOutcome(state=REASONS[RESULT_LOST].state, error_code=RESULT_LOST)
        file_key = self._vault.open(sealed, str(job.id)).get("file_key", "") if sealed else ""
        duration = outcome.result.get("duration", stored.version.duration)
        part = await self._part(job, outcome, video)
        publish = partial(trims.publish, part=part) if part else videos.publish
        try:
            async with self._engine.begin() as connection:
                await publish(
                    connection,
                    tenant_id=tenant_id,
                    video_id=video_id,
                    file_key=file_key,
                    job_id=job.id,
                    epoch=max(job.epoch, stored.epoch),
                    version=replace(stored.version, duration=duration),
                )
        except NotCurrent:  # deleted, replaced or ended meanwhile
            return outcome
        return outcome

    async def _part(self, job: JobRow, outcome: JobOutcome, video: VideoRow | None) -> Part | None:
        """Of a trim, what it has moved along; None where the version is not shown that it is a part of.
        Raises BaseNotShown where that is still to be written again."""
        told = outcome.result.get("part")
        if told is None or video is None:
            return None
        if video.hls_prefix is None or version_name(video.hls_prefix) != told["of"]:
            async with self._engine.connect() as connection:
                if await trims.has_open_before(connection, job.id):
                    raise BaseNotShown(job.id)
            return None
        async with self._engine.connect() as connection:
            rows = await captions.listed(connection, video.tenant_id, video.id)
            subtitles = await trims.subtitles_key(connection, video.tenant_id, video.id)
        beside = [row for row in rows if row.origin != Origin.EMBEDDED]
        root = hls_root(video.tenant_id, video.id)
        new, moved = await asyncio.to_thread(moved_along, self._objects, job.id, root, beside, subtitles)
        of = {row.id for row in beside}
        return Part(video.hls_prefix, told["start"], told["end"], new, of, moved, subtitles)

    async def _was_followed(self, job: JobRow) -> bool:
        """Whether Temporal knows of what took the version away: a deletion of the video, or another encode,
        whose row this database may not have again yet."""
        kinds = "JobType IN ('video.delete', 'video.encode', 'video.trim')"
        async for each in self._temporal.list_workflows(f"TenantId = '{job.tenant_id}' AND {kinds}"):
            of_it = f"-t{job.tenant_id}-v{job.video_id}-" in each.id and each.id != job.workflow_id
            tried = each.id.startswith("video.delete") or each.status is WorkflowExecutionStatus.COMPLETED
            if of_it and tried and each.start_time >= job.accepted_at:
                return True
        return False

    async def _tombstone(self, connection: AsyncConnection, job: JobRow) -> None:
        assert job.tenant_id is not None and job.video_id is not None, "a deletion is of somebody's video"
        video = await videos.find(connection, job.tenant_id, job.video_id)
        if video is None or video.deleted_at is None:
            await videos.mark_deleted(connection, job.tenant_id, job.video_id)


def _wrote(job_type: str, result: Mapping[str, Any]) -> bool:
    """Whether a job whose type writes rows has written some, and `STORED` with them: all but a roster that
    was only tried and a transcript of no lecture. Workers of before 0.6 say neither, and of theirs nobody
    knows."""
    match job_type:
        case "ai.excel_parsing":
            return result.get("mode") == "import"
        case "ai.transcription":
            summary = result.get("summary") or {}
            return summary.get("attached") is True and "captions" in summary
        case _:
            return True
