"""What the database itself decides: who was first, who may publish, what is kept."""

import asyncio
import base64
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from clients.database import accepting, captions, jobs, trims, videos
from clients.database.accepting import Acceptance, Accepted
from clients.database.captions import NewCaption
from clients.database.engine import create_engine
from clients.database.models import Job
from clients.database.trims import Part
from clients.database.videos import NotCurrent, Version
from clients.vault import Vault, VaultError
from contracts import catalog
from contracts.captions import Origin
from contracts.jobs import JobOutcome, JobRequest, JobState, payload_sha256
from intake.submit import Submitter
from tests.lab import Lab, fresh_id

KEY = base64.b64encode(bytes(32)).decode()
DONE = JobOutcome(state=JobState.DONE, result={"pages": 3})
FAILED = JobOutcome(state=JobState.FAILED, error_code="TERMINATED")
PHONE, TEXT = "01000000000", "홍길동 학생이 등원했습니다"


@pytest.fixture(autouse=True)
async def nothing_stays_open(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """The reconciler of other tests would start what is open, and cannot open what we "sealed"."""
    yield
    if "stack" in request.fixturenames:
        engine = create_engine(request.getfixturevalue("stack").settings(), "tests")
        async with engine.begin() as connection:
            mine = (Job.source == "test", Job.sealed_payload == b"sealed", Job.finished_at.is_(None))
            await connection.execute(update(Job).where(*mine).values(finished_at=func.now(), state="DONE"))
        await engine.dispose()


def job_request(tenant: int, key: str = "a", subject: str | None = None, **payload: Any) -> JobRequest:
    payload = {"video_id": 1, "file_key": f"tenants/{tenant}/a.mp4"} | payload
    return JobRequest(
        job_type="video.encode",
        tenant_id=tenant,
        idempotency_key=key,
        subject=subject,
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="test",
    )


async def accept(lab: Lab, *requests: JobRequest) -> list[Accepted]:
    job_requests = [(each, catalog.workflow_id(each), b"sealed") for each in requests]
    async with lab.engine.begin() as connection:
        return await accepting.accept(
            connection, Vault(lab.settings.payload_keys.get_secret_value()), job_requests
        )


async def finish(lab: Lab, job: Accepted, outcome: JobOutcome) -> JobOutcome:
    async with lab.engine.begin() as connection:
        return await jobs.finish(connection, job.job_id, outcome)


async def begin(lab: Lab, job: Accepted) -> int | None:
    async with lab.engine.begin() as connection:
        return await jobs.begin(connection, job.job_id)


async def row(lab: Lab, job: Accepted) -> Any:
    async with lab.engine.connect() as connection:
        return (await connection.execute(select(Job).where(Job.id == job.job_id))).one()


async def test_a_job_knows_its_lecture(lab: Lab) -> None:
    tenant = fresh_id()
    requests = [job_request(tenant, key=str(each), video_id=each) for each in (42, "no number")]
    assert [(await row(lab, job)).video_id for job in await accept(lab, *requests)] == [42, None]


async def test_ten_who_bring_the_same_wish_at_once_make_one_job(lab: Lab) -> None:
    request = job_request(fresh_id(), subject="video.encode:1:x")
    answers = await asyncio.gather(*(accept(lab, request) for _ in range(10)))
    statuses = Counter(accepted.status for (accepted,) in answers)
    assert statuses == {Acceptance.NEW: 1, Acceptance.OPEN: 9}
    assert len({accepted.job_id for (accepted,) in answers}) == 1


async def test_ten_wishes_for_one_subject_at_once_make_one_job(lab: Lab) -> None:
    tenant = fresh_id()
    requests = [job_request(tenant, key=str(n), subject="video.encode:1:x") for n in range(10)]
    answers = [each for (each,) in await asyncio.gather(*(accept(lab, request) for request in requests))]
    assert Counter(each.status for each in answers) == {Acceptance.NEW: 1, Acceptance.JOINED: 9}
    (new,) = [each for each in answers if each.status is Acceptance.NEW]
    assert {(each.job_id, each.workflow_id) for each in answers} == {(new.job_id, new.workflow_id)}
    await finish(lab, new, DONE)
    (later,) = await accept(lab, job_request(tenant, key="later", subject="video.encode:1:x"))
    assert later.status is Acceptance.NEW


async def test_answers_are_in_the_order_of_the_requests(lab: Lab) -> None:
    tenant = fresh_id()
    requests = [job_request(tenant, key=str(n)) for n in (3, 1, 2, 1)]
    answers = await accept(lab, *requests)
    assert [each.job_id for each in answers] == [each.job_id for each in requests]
    assert [each.status for each in answers] == ["NEW", "NEW", "NEW", "OPEN"]


async def test_a_key_used_for_something_else_is_a_mismatch(lab: Lab) -> None:
    tenant = fresh_id()
    (first,) = await accept(lab, job_request(tenant))
    (second,) = await accept(lab, job_request(tenant, file_key="other.mp4"))
    assert second.status is Acceptance.MISMATCH
    (other_tenant,) = await accept(lab, job_request(fresh_id(), file_key="other.mp4"))
    assert other_tenant.status is Acceptance.NEW
    await finish(lab, first, DONE)
    assert [each.status for each in await accept(lab, job_request(tenant))] == ["FINAL"]


async def test_the_first_final_state_wins_and_the_payload_goes(lab: Lab) -> None:
    """It stays for a retry where FAILED was first, which nobody knows."""
    (job,) = await accept(lab, job_request(fresh_id()))
    assert (await row(lab, job)).sealed_payload == b"sealed"
    with pytest.raises(ValueError, match="RUNNING is not a final state"):
        await finish(lab, job, JobOutcome(state=JobState.RUNNING))
    both = await asyncio.gather(finish(lab, job, DONE), finish(lab, job, FAILED))
    assert both[0] == both[1]
    kept = await row(lab, job)
    left = b"sealed" if both[0].state is JobState.FAILED else None
    assert (kept.state, kept.sealed_payload) == (both[0].state, left)
    assert await finish(lab, job, JobOutcome(state=JobState.CANCELLED)) == both[0]


async def test_every_execution_takes_a_higher_epoch_until_the_end(lab: Lab) -> None:
    (job,) = await accept(lab, job_request(fresh_id()))
    assert sorted(await asyncio.gather(begin(lab, job), begin(lab, job))) == [1, 2]  # type: ignore[type-var]
    started = (await row(lab, job)).started_at
    assert await begin(lab, job) == 3
    kept = await row(lab, job)
    assert (kept.state, kept.started_at) == ("RUNNING", started)
    await finish(lab, job, DONE)
    assert await begin(lab, job) is None
    assert (await row(lab, job)).epoch == 3


class Studio:
    """Encodes of one video, without the encoding."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.tenant, self.video = lab, fresh_id(), fresh_id()

    async def job(self, key: str) -> Accepted:
        (job,) = await accept(self.lab, job_request(self.tenant, key=key))
        await begin(self.lab, job)
        async with self.lab.engine.begin() as connection:
            assert await videos.begin_encode(connection, self.tenant, self.video, "a.mp4", job.job_id)
        return job

    async def publish(self, job: Accepted, epoch: int = 1) -> str | None:
        async with self.lab.engine.begin() as connection:
            return await videos.publish(connection, **self.wanted(job, epoch))

    def wanted(self, job: Accepted, epoch: int = 1) -> dict[str, Any]:
        prefix = f"hls/{job.job_id.hex[:12]}-{epoch}/"
        rung = {"name": "360p", "width": 640, "height": 360, "codecs": "avc1", "bandwidth": 2}
        rung |= {"average_bandwidth": 1, "segments": 1, "size": 1}
        version = Version("hls/master.m3u8", prefix, 5.3, [rung])
        return {
            "tenant_id": self.tenant,
            "video_id": self.video,
            "file_key": "a.mp4",
            "job_id": job.job_id,
            "epoch": epoch,
            "version": version,
        }


async def test_publishing_replaces_and_may_be_repeated(lab: Lab) -> None:
    studio = Studio(lab)
    first, second = await studio.job("1"), await studio.job("2")
    assert await studio.publish(first) is None
    replaced = (await lab.video(studio.tenant, studio.video)).hls_prefix
    assert [await studio.publish(second) for _ in range(2)] == [replaced, replaced]
    await finish(lab, second, DONE)
    assert await studio.publish(second) == replaced  # its answer got lost, the job ended meanwhile
    assert (await lab.video(studio.tenant, studio.video)).published_job == second.job_id
    assert len(await lab.renditions(studio.tenant, studio.video)) == 1


async def test_a_zombie_may_not_publish(lab: Lab) -> None:
    studio = Studio(lab)
    job = await studio.job("1")
    assert await begin(lab, job) == 2
    with pytest.raises(NotCurrent, match="STALE_EPOCH"):
        await studio.publish(job, epoch=1)
    await finish(lab, job, FAILED)
    with pytest.raises(NotCurrent, match="STALE_EPOCH"):
        await studio.publish(job, epoch=2)
    assert (await lab.video(studio.tenant, studio.video)).hls_prefix is None


async def test_an_older_upload_may_not_replace_a_newer_one(lab: Lab) -> None:
    studio = Studio(lab)
    older, newer = await studio.job("1"), await studio.job("2")
    await studio.publish(newer)
    with pytest.raises(NotCurrent, match="SUPERSEDED"):
        await studio.publish(older)
    assert (await lab.video(studio.tenant, studio.video)).published_job == newer.job_id


async def test_a_part_is_shown_once_and_in_place_of_what_it_is_of(lab: Lab) -> None:
    studio = Studio(lab)
    first, second = await studio.job("1"), await studio.job("2")
    await studio.publish(first)
    base = (await lab.video(studio.tenant, studio.video)).hls_prefix
    async with lab.engine.begin() as connection:
        chapters = [{"start": 0.0, "title": "a"}, {"start": 4.0, "title": "b"}]
        await captions.set_chapters(connection, studio.tenant, studio.video, chapters)

        said = NewCaption(uuid4(), "ko", "a", Origin.UPLOADED, "captions/a/", 1)
        await captions.insert_new(connection, studio.tenant, studio.video, [said])

    async def trim(base: str | None, **more: Any) -> tuple[str | None, list[str]]:
        part = Part(base=base or "", start=1.0, end=5.0, captions=[], captions_of=set(), subtitles=None)
        async with lab.engine.begin() as connection:
            return await trims.publish(connection, **studio.wanted(second), part=replace(part, **more))

    with pytest.raises(NotCurrent, match="VERSION_CHANGED"):
        await trim("hls/other-1/")
    with pytest.raises(trims.CaptionsChanged):
        await trim(base, captions_of={uuid4()})
    with pytest.raises(trims.CaptionsChanged):
        await trim(base, subtitles_of="of a transcription that was removed")
    # Whoever lost the answer hears again what is to be retired.
    done = [await trim(base, captions_of={said.id}) for _ in range(2)]
    assert done == [(base, ["captions/a/"])] * 2
    row = await lab.video(studio.tenant, studio.video)
    assert [each["start"] for each in row.chapters["chapters"]] == [0.0, 3.0]
    assert row.policy_version == 2


async def test_nothing_is_published_of_a_deleted_video(lab: Lab) -> None:
    studio = Studio(lab)
    job = await studio.job("1")
    await studio.publish(job)
    async with lab.engine.begin() as connection:
        await videos.mark_deleted(connection, studio.tenant, studio.video)
    with pytest.raises(NotCurrent, match="VIDEO_DELETED"):
        await studio.publish(job)
    assert not await lab.renditions(studio.tenant, studio.video)
    async with lab.engine.begin() as connection:
        assert not await videos.begin_encode(connection, studio.tenant, studio.video, "b.mp4", job.job_id)


async def test_phone_and_text_are_sealed_in_the_table(lab: Lab) -> None:
    vault = Vault(lab.settings.payload_keys.get_secret_value())
    request = job_request(fresh_id(), to=PHONE, text=TEXT)
    (job,) = await Submitter(lab.engine, lab.temporal, vault).accept([request])
    async with lab.engine.connect() as connection:
        everything = (await connection.execute(select(Job).where(Job.id == job.job_id))).one()
    stored = b"".join(each if isinstance(each, bytes) else repr(each).encode() for each in everything)
    assert PHONE.encode() not in stored and TEXT.encode() not in stored
    assert vault.open(everything.sealed_payload, str(job.job_id)) == request.payload
    await finish(lab, job, DONE)


def test_a_sealed_payload_opens_for_its_job_only_and_unaltered() -> None:
    vault, job = Vault(f"old:{KEY}"), str(uuid4())
    sealed = vault.seal({"to": PHONE}, job)
    assert vault.seal({"to": PHONE}, job) != sealed
    with pytest.raises(VaultError, match="another job"):
        vault.open(sealed, str(uuid4()))
    for at in (len("old:"), len(sealed) - 1):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(VaultError, match="altered"):
            vault.open(bytes(altered), job)
    for cut in (-1, 10):
        with pytest.raises(VaultError, match="altered"):
            vault.open(sealed[:cut], job)
    other = base64.b64encode(os.urandom(32)).decode()
    assert Vault(f"new:{other},old:{KEY}").open(sealed, job) == {"to": PHONE}  # rotated
    with pytest.raises(VaultError, match="PAYLOAD_KEYS"):
        Vault(f"new:{other}").open(sealed, job)
