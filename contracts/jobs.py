"""A job: what was asked for, where it stands, how it ended."""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID, uuid5

from pydantic import Field

from contracts.base import Contract
from contracts.states import JobState as JobState

_JOB_NAMESPACE = UUID("6f1d2f2e-6f0b-5a0e-9d6a-2b4c0d9c7a11")

FINAL_STATES = frozenset(JobState) - {JobState.PENDING, JobState.RUNNING}

SUCCEEDED = frozenset({JobState.DONE, JobState.REVIEW_REQUIRED})
"""There is a result; in the second case a person should look at it."""

RETRYABLE_STATES = frozenset({JobState.FAILED, JobState.CANCELLED})


class JobRequest(Contract):
    """One accepted request, whoever sent it: the only input of `intake.submit`.

    `idempotency_key` names the occurrence: the same key is the same request, and must carry the same
    `payload_sha256`. `subject`, where given, names what only one open job may work on at a time
    (an encode of one file of one video); a second request for the same joins the open job.
    `attempt`, where the producer counts: keys of one occasion differ in what is behind the last colon, and an
    attempt that comes after a later one is answered by that.
    """

    job_type: str
    tenant_id: int | None
    idempotency_key: str = Field(max_length=200)
    external_id: str | None = Field(default=None, max_length=100)
    subject: str | None = Field(default=None, max_length=200)
    payload: dict[str, Any] = Field(repr=False)
    payload_sha256: str
    source: str
    attempt: int | None = None

    @property
    def job_id(self) -> UUID:
        """Derived from tenant and key, so that a second acceptance of the same request finds the same row."""
        return uuid5(_JOB_NAMESPACE, f"{self.tenant_id}/{self.job_type}/{self.idempotency_key}")

    @property
    def video_id(self) -> int | None:
        """The lecture that it is about."""
        video_id = self.payload.get("video_id")
        return video_id if isinstance(video_id, int) else None

    @property
    def upload_id(self) -> UUID | None:
        """The upload that brought its file, as the file's key says."""
        try:
            return UUID(PurePosixPath(str(self.payload.get("file_key"))).stem)
        except ValueError:
            return None


class JobRef(Contract):
    """What a workflow is started with: no payload, so no person's data, enters Temporal by it."""

    job_id: UUID
    job_type: str
    tenant_id: int | None


class JobRecord(Contract):
    """A job's row as its workflow carries it, sealed, so that a database that has lost the row gets it back.
    `payload_sha256` is what was stored. `payload` is left out where it is too large to be carried."""

    job_id: UUID
    job_type: str
    tenant_id: int | None
    idempotency_key: str
    external_id: str
    subject: str | None
    video_id: int | None
    workflow_id: str
    payload_sha256: str
    source: str
    payload: dict[str, Any] | None = Field(repr=False)

    @property
    def ref(self) -> JobRef:
        return JobRef(job_id=self.job_id, job_type=self.job_type, tenant_id=self.tenant_id)


class JobOutcome(Contract):
    """How a job ended; `result` is small and free of personal data, objects travel by key."""

    state: JobState
    error_code: str | None = None
    result: dict[str, Any] = Field(default_factory=dict)


class FinishInput(Contract):
    """The final state of a job, to be written."""

    job_id: UUID
    outcome: JobOutcome


def payload_sha256(payload: dict[str, Any], volatile: frozenset[str]) -> str:
    """Hash of what was asked for: canonical JSON without the fields that differ between two sends of it."""
    stable = {key: value for key, value in payload.items() if key not in volatile}
    text = json.dumps(stable, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
