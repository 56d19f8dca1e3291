"""Once a day: objects that nobody owns, because a process, a timer or a whole database was lost.

What is proven to be nobody's is removed by the second sweep that finds it. What only the database does not
know is named and left: the database may be the one that is wrong.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.implements import implements
from clients.database import captions, erasing, orphans
from clients.database.orphans import Captioned, Ended, Found, Owner
from clients.objects import Objects
from contracts.activities import ops
from contracts.jobs import SUCCEEDED
from contracts.video import hls_root
from intake.captions import FOLDER, machines_id

GONE_WITH_ITS_JOB = "its job has ended"
DELETED = "its video is deleted"
UNKNOWN_JOB, UNKNOWN_VIDEO, UNKNOWN_SOURCE = "unknown job", "unknown video", "unknown source"
REPLACED, UNKNOWN_CAPTIONS = "its captions are replaced", "unknown captions"
UNPUBLISHED, MISSING = "done and not published", "published and not there"
TENANT_ERASED = "its tenant is erased"  # written by a link or a worker of before
PROVEN = frozenset({GONE_WITH_ITS_JOB, DELETED, REPLACED, TENANT_ERASED})
UNCLAIMED = timedelta(days=15)  # a source whose message may still lie in a queue is nobody's yet

_CAPTIONS = re.compile(rf".*/{FOLDER}(?P<id>[0-9a-f]{{32}})/")
_VERSION = re.compile(r".*/(?P<job>[0-9a-f]{12})-\d+/")

log = logging.getLogger(__name__)


class OrphanActivities:
    """`grace`: what is younger is not looked at. `replaced`: how long a version before stays."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        temporal: Client,
        objects: Objects,
        grace: timedelta,
        replaced: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._temporal = temporal
        self._objects = objects
        self._grace = grace
        self._replaced = replaced
        self._now = now

    @implements(ops.SWEEP_OBJECTS)
    async def sweep(self) -> dict[str, int]:
        """Compare the store with videos, jobs and running workflows; returns objects found and removed."""
        found = [each async for each in self.find()]
        for each in found:
            log.warning("%s objects of nobody below %s: %s", each.objects, each.prefix, each.why)
        async with self._engine.begin() as connection:
            before = await orphans.note(connection, found)
        gone = [each for each in found if each.why in PROVEN and each.prefix in before]
        for each in gone:
            await asyncio.to_thread(self._remove, each.prefix)
            async with self._engine.begin() as connection:
                await orphans.removed(connection, [each.prefix])
        return {
            "found": sum(each.objects for each in found),
            "removed": sum(each.objects for each in gone),
        }

    async def find(self) -> AsyncIterator[Found]:
        """What has no owner now. Changes nothing."""
        async with self._engine.connect() as connection:
            erased = await erasing.erased_tenants(connection)
        for folder in await self._folders("tenants/"):
            tenant = folder.split("/")[1]
            if tenant.isdecimal() and int(tenant) in erased:
                for below in await self._folders(folder):
                    if found := await self._below(below, TENANT_ERASED):
                        yield found
            elif tenant.isdecimal():
                async for each in self._of_tenant(int(tenant)):
                    yield each

    async def _of_tenant(self, tenant: int) -> AsyncIterator[Found]:
        # What the store has is read before what the database and Temporal say: it may grow meanwhile.
        folders = await self._folders(f"tenants/{tenant}/video/hls/")
        versions = {folder: await self._folders(folder) for folder in folders}
        beside = {
            folder: await self._folders(folder + FOLDER)
            for folder, below in versions.items()
            if folder + FOLDER in below
        }
        sources = await asyncio.to_thread(list, self._objects.written(f"tenants/{tenant}/video/raw/"))
        running = await self._running(tenant)
        async with self._engine.connect() as connection:
            owners = await orphans.owners(connection, tenant)
            jobs = await orphans.jobs(connection, tenant)
            claimed = await orphans.uploaded(connection, tenant)
            shown = await captions.prefixes(connection, tenant)
            made = _made_by(await orphans.captioned(connection, tenant))
        for folder, below in versions.items():
            number = folder.rstrip("/").rpartition("/")[2]
            owner = owners.get(int(number)) if number.isdecimal() else None
            if owner and owner.deleted_at:
                if self._is_old(owner.deleted_at) and (found := await self._below(folder, DELETED)):
                    yield found
                continue
            for version in below:
                why = self._why(owner, version, jobs, running)
                if why and (found := await self._below(version, why)):
                    yield found
            for each in beside.get(folder, ()):
                why = self._why_captions(owner, each, shown, made, running)
                if why and (found := await self._below(each, why)):
                    yield found
        for owner in owners.values():
            if owner.hls_prefix and owner.hls_prefix not in versions.get(hls_root(tenant, owner.id), ()):
                yield Found(owner.hls_prefix, 0, 0, MISSING)
        kept = {owner.file_key for owner in owners.values() if not owner.deleted_at}
        deleted = {o.file_key for o in owners.values() if o.deleted_at and self._is_old(o.deleted_at)}
        for key, size, written in sources:
            if key in deleted - kept:
                yield Found(key, 1, size, DELETED)
            elif key not in kept | claimed | deleted and self._now() - written > UNCLAIMED:
                yield Found(key, 1, size, UNKNOWN_SOURCE)

    def _why(
        self,
        owner: Owner | None,
        version: str,
        jobs: dict[str, Ended],
        running: set[str],
    ) -> str | None:
        """Why a version is nobody's; None if it is somebody's, or young."""
        named = _VERSION.fullmatch(version)
        if named is None or named["job"] in running or (owner and version == owner.hls_prefix):
            return None
        if owner and version == owner.replaced_prefix and self._now() - owner.updated_at < self._replaced:
            return None
        if owner is None:
            return UNKNOWN_VIDEO
        job = jobs.get(named["job"])
        if job is None:
            return UNKNOWN_JOB
        if job.finished_at is None or not self._is_old(job.finished_at):
            return None
        lost = owner.hls_prefix is None and job.state in SUCCEEDED
        return UNPUBLISHED if lost else GONE_WITH_ITS_JOB

    def _why_captions(
        self, owner: Owner | None, folder: str, shown: set[str], made: dict[str, datetime], running: set[str]
    ) -> str | None:
        """The same of captions. Those that wait for their removal have a workflow."""
        named = _CAPTIONS.fullmatch(folder)
        if named is None or folder in shown or named["id"] in running:
            return None
        if owner is None:
            return UNKNOWN_VIDEO
        ended = made.get(named["id"])
        if ended is None:
            return UNKNOWN_CAPTIONS
        return REPLACED if self._is_old(ended) else None

    async def _below(self, prefix: str, why: str) -> Found | None:
        """All objects below a prefix; None where one was written a moment ago."""
        stored = await asyncio.to_thread(list, self._objects.written(prefix))
        if not stored or not self._is_old(max(written for _, _, written in stored)):
            return None
        return Found(prefix, len(stored), sum(size for _, size, _ in stored), why)

    async def _running(self, tenant: int) -> set[str]:
        """The digits of jobs and captions whose workflows run, whatever the database says of them."""
        query = f"TenantId = '{tenant}' AND ExecutionStatus = 'Running'"
        return {each.id.rpartition("-")[2] async for each in self._temporal.list_workflows(query)}

    async def _folders(self, start: str) -> list[str]:
        return await asyncio.to_thread(list, self._objects.folders(start))

    def _is_old(self, at: datetime) -> bool:
        return self._now() - at > self._grace

    def _remove(self, prefix: str) -> None:
        if prefix.endswith("/"):
            self._objects.erase(prefix)
        else:
            self._objects.delete(prefix)


def _made_by(jobs: Sequence[Captioned]) -> dict[str, datetime]:
    """Captions that were shown once, by their digits, and when their jobs ended."""
    ends = {machines_id(job.id).hex: job.finished_at for job in jobs}
    told = {UUID(each["id"]).hex: job.finished_at for job in jobs for each in job.captions or ()}
    return ends | told
