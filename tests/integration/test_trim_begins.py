"""What a trim is told of the version that it cuts, before anything is cut."""

from typing import Any
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import httpx
from sqlalchemy import func, insert, update

from activities.video.trim_lifecycle import TrimLifecycleActivities
from clients.database.models import Job
from contracts.trim import MadeOf, TrimBegun, TrimInput
from contracts.video import SoundWarning, hls_root
from intake.versions import note_made_of
from tests.lab import Lab
from tests.viewing.classroom import Classroom

DAMAGE = {"what": "sound_missing", "start": 1.0, "end": 3.0}


async def job(lab: Lab, tenant: int, kind: str = "video.trim", **values: Any) -> UUID:
    made = uuid4()
    names = dict.fromkeys(("workflow_id", "idempotency_key", "payload_sha256", "external_id"), made.hex)
    row = {"id": made, "tenant_id": tenant, "job_type": kind, "source": "api", "state": "ACCEPTED"}
    async with lab.engine.begin() as connection:
        await connection.execute(insert(Job).values(row | names | values))
    return made


async def test_the_trim_before_must_have_ended_and_its_version_says_what_it_is_of(lab: Lab) -> None:
    async with httpx.AsyncClient() as http:
        room = Classroom(lab, http)
    await lab.service_key(room.tenant)
    maker = await job(lab, room.tenant, state="RUNNING", video_id=room.video)
    prefix = f"{hls_root(room.tenant, room.video)}{maker.hex[:12]}-1/"
    await room.publish(room.video, hls_prefix=prefix, published_job=maker)
    made_of = MadeOf(key="tenants/7/video/raw/a.mp4", etag="e", first_frame=38, start=1.52)
    note_made_of(lab.objects, prefix, made_of)
    activities = TrimLifecycleActivities(lab.engine, lab.objects, AsyncMock(), 0)

    async def begun() -> TrimBegun:
        ref = {"tenant_id": room.tenant, "video_id": room.video, "version": f"{maker.hex[:12]}-1"}
        return await activities.begin(TrimInput(job_id=await job(lab, room.tenant), start=1.0, **ref))

    # It is shown before its job has ended: damage and warnings are not told yet.
    refused = await begun()
    assert refused.ended and refused.ended.error_code == "LECTURE_BUSY"
    told = {"damage": [DAMAGE], "warnings": ["sound_silent", "sound_too_quiet"]}
    async with lab.engine.begin() as connection:
        ended = {"state": "DONE", "result": told, "finished_at": func.now()}
        await connection.execute(update(Job).where(Job.id == maker).values(ended))
    found = await begun()
    assert (found.ended, found.base, found.made_of) == (None, prefix, made_of)
    assert [each.model_dump(mode="json") for each in found.damage] == [DAMAGE]
    assert (found.warnings, found.too_quiet) == ([SoundWarning.SILENT], True)

    # A release before wrote no such file: then it is known of an encode of the lecture's own file, and of no
    # other.
    lab.objects.erase(prefix)
    assert (await begun()).made_of == MadeOf(key="")
