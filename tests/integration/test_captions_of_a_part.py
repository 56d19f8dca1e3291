"""What a model has heard in the source of a lecture that was trimmed: at the times of what is shown."""

from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import insert, update
from temporalio.exceptions import ApplicationError

from activities.ai.captions import CaptionJobs, NotPlaced
from clients.database import captions
from clients.database.models import Job, Video
from contracts.jobs import JobRef
from contracts.trim import MadeOf
from contracts.video import SourceRef, hls_root
from intake.captions import Captioning
from intake.versions import note_made_of
from rules.captions.reading import read
from rules.captions.writing import WHOLE
from tests.lab import Lab
from tests.viewing.classroom import Classroom

SOURCE = SourceRef(key="tenants/7/video/raw/a.mp4", etag="e", size=1)
HEARD = """WEBVTT

00:00:10.000 --> 00:00:12.000
before

00:00:31.000 --> 00:00:33.500
over the edge

00:00:40.000 --> 00:00:41.000
within

00:01:20.000 --> 00:01:21.000
behind
"""


class Studio:
    """A lecture of which 31.5 s were cut off the start, and 40 s are left."""

    def __init__(self, lab: Lab, room: Classroom, jobs: CaptionJobs, job: UUID) -> None:
        self.lab, self.room, self.jobs = lab, room, jobs
        self.ref = JobRef(job_id=job, tenant_id=room.tenant, job_type="ai.transcription")

    @classmethod
    async def open(cls, lab: Lab) -> "Studio":
        room = Classroom(lab, cast(httpx.AsyncClient, None))
        await lab.service_key(room.tenant)
        await room.publish(room.video, duration=40.0)
        job = uuid4()
        names = dict.fromkeys(("workflow_id", "idempotency_key", "payload_sha256", "external_id"), job.hex)
        row = {"id": job, "tenant_id": room.tenant, "source": "api", "state": "RUNNING", **names}
        async with lab.engine.begin() as connection:
            await connection.execute(insert(Job).values(row | {"job_type": "ai.transcription"}))
        captioning = Captioning(lab.engine, lab.objects, lab.temporal, grace=0)
        nothing: Any = None
        jobs = CaptionJobs(files=nothing, sources=nothing, sandbox=nothing, captioning=captioning)
        studio = cls(lab, room, jobs, job)
        studio.made_of(MadeOf(key=SOURCE.key, etag=SOURCE.etag, first_frame=945, start=31.5))
        return studio

    @property
    def prefix(self) -> str:
        return f"{hls_root(self.room.tenant, self.room.video)}v-1/"

    def made_of(self, what: MadeOf) -> None:
        note_made_of(self.lab.objects, self.prefix, what)

    async def times(self, source: SourceRef = SOURCE) -> list[tuple[int, int, str]]:
        placed = await self.jobs.placed(self.room.tenant, self.room.video, HEARD, source)
        (found,) = read(placed.webvtt)
        return [cue[:3] for cue in found.cues]


async def test_it_stands_at_the_times_of_the_part(lab: Lab) -> None:
    studio = await Studio.open(lab)
    assert await studio.times() == [(0, 2000, "over the edge"), (8500, 9500, "within")]
    assert await studio.jobs.source_of(studio.room.tenant, studio.room.video) == SOURCE.key
    for other in ({"key": "tenants/7/video/raw/b.mp4"}, {"etag": "f"}):
        with pytest.raises(NotPlaced):
            await studio.times(SOURCE.model_copy(update=other))

    placed = await studio.jobs.placed(studio.room.tenant, studio.room.video, HEARD, SOURCE)
    assert await studio.jobs.machine_made(studio.ref, placed)
    async with lab.engine.connect() as connection:
        (shown,) = await captions.listed(connection, studio.room.tenant, studio.room.video)
    assert "00:00:08.500 --> 00:00:09.500\nwithin" in lab.objects.get(shown.prefix + WHOLE).decode()

    # What is whole at its start is as it was heard, and so is what a release before has made.
    studio.made_of(MadeOf(key="another", etag="x"))
    assert (await studio.times())[0] == (10_000, 12_000, "before")
    lab.objects.erase(studio.prefix)
    assert (await studio.times())[0] == (10_000, 12_000, "before")
    assert await studio.jobs.source_of(studio.room.tenant, studio.room.video) is None


async def test_a_version_that_is_published_in_the_middle_gets_none_of_them(lab: Lab) -> None:
    studio = await Studio.open(lab)
    tenant, video = studio.room.tenant, studio.room.video
    placed = await studio.jobs.placed(tenant, video, HEARD, SOURCE)
    async with lab.engine.begin() as connection:
        this = update(Video).where(Video.tenant_id == tenant, Video.id == video)
        await connection.execute(this.values(hls_prefix=f"{hls_root(tenant, video)}v-2/"))
    with pytest.raises(ApplicationError, match="another version"):
        await studio.jobs.machine_made(studio.ref, placed)
    async with lab.engine.connect() as connection:
        assert not await captions.listed(connection, tenant, video)
    assert not lab.keys(f"{hls_root(tenant, video)}captions/")
