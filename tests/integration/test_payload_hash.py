"""What is stored of a payload's hash says nothing without PAYLOAD_KEYS, and outlives their rotation."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from clients.database.accepting import Acceptance
from clients.database.models import Job
from clients.vault import Vault
from contracts.jobs import JobRequest, payload_sha256
from intake.submit import IdempotencyMismatch, Submitter
from tests.lab import Lab, fresh_id

PHONE = "01000000000"


@pytest.fixture(autouse=True)
async def nothing_stays_open(lab: Lab) -> AsyncIterator[None]:
    """The reconciler of other tests has not our keys."""
    yield
    async with lab.engine.begin() as connection:
        mine = (Job.source == "test-hash", Job.finished_at.is_(None))
        await connection.execute(update(Job).where(*mine).values(finished_at=func.now(), state="DONE"))


def vault(*names: str) -> Vault:
    keys = (base64.b64encode(hashlib.sha256(name.encode()).digest()).decode() for name in names)
    return Vault(",".join(f"{name}:{key}" for name, key in zip(names, keys, strict=True)))


def job_request(tenant: int, **payload: Any) -> JobRequest:
    payload = {"to": PHONE, "text": "hello"} | payload
    return JobRequest(
        job_type="ai.embedding",
        tenant_id=tenant,
        idempotency_key="once",
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="test-hash",
    )


async def accept(lab: Lab, ring: Vault, request: JobRequest) -> Acceptance:
    (accepted,) = await Submitter(lab.engine, lab.temporal, ring).accept([request])
    return accepted.status


async def stored(lab: Lab, request: JobRequest) -> str:
    async with lab.engine.connect() as connection:
        asked = select(Job.payload_sha256).where(Job.id == request.job_id)
        return str((await connection.execute(asked)).scalar_one())


async def test_the_hash_in_the_database_is_keyed(lab: Lab) -> None:
    request = job_request(fresh_id())
    assert await accept(lab, vault("one"), request) is Acceptance.NEW
    kept = await stored(lab, request)
    assert kept.startswith("one:") and request.payload_sha256 not in kept
    assert kept == vault("one").keyed_hash(request.payload_sha256)
    other = Vault(f"one:{base64.b64encode(bytes(32)).decode()}")
    assert kept != other.keyed_hash(request.payload_sha256)
    with pytest.raises(IdempotencyMismatch):
        submitter = Submitter(lab.engine, lab.temporal, vault("one"))
        await submitter.submit(job_request(request.tenant_id or 0, to="01000000001"))


async def test_rotation_tells_duplicates_from_mismatches_still(lab: Lab) -> None:
    tenant = fresh_id()
    assert await accept(lab, vault("old"), job_request(tenant)) is Acceptance.NEW
    rotated = vault("new", "old")
    assert await accept(lab, rotated, job_request(tenant)) is Acceptance.OPEN
    assert await accept(lab, rotated, job_request(tenant, text="other")) is Acceptance.MISMATCH
    # The old key is gone: nothing can be compared, and the idempotency key is believed.
    assert await accept(lab, vault("new"), job_request(tenant)) is Acceptance.OPEN


async def test_rows_of_version_0_1(lab: Lab) -> None:
    request = job_request(fresh_id())
    await accept(lab, vault("one"), request)
    async with lab.engine.begin() as connection:
        bare = update(Job).where(Job.id == request.job_id).values(payload_sha256=request.payload_sha256)
        await connection.execute(bare)
    assert await accept(lab, vault("one"), request) is Acceptance.OPEN
    changed = job_request(request.tenant_id or 0, text="other")
    assert await accept(lab, vault("one"), changed) is Acceptance.MISMATCH


def test_the_longest_key_name_fits_the_column() -> None:
    name = "k" * 32
    kept = vault(name).keyed_hash("0" * 64)
    assert len(kept) <= 64 and vault(name).same_hash("0" * 64, kept)
