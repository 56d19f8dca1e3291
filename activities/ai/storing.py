"""Where an AI job's objects lie, and what its payload says about them."""

import hashlib
import json
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from activities.ai.sandbox.task import BadInput
from contracts.errors import REASONS
from contracts.jobs import JobOutcome

OPENED_BY = "password"  # of a PDF; goes from the payload to the child, and into nothing that is stored

# What names the file or its owner, or is used once and never kept: no part of what is computed.
NOT_PARAMETERS = frozenset(
    {
        "file_key",
        "download_url",
        "bucket",
        "tenant_id",
        "tier",
        "source_domain",
        "source_id",
        "submission_id",
        "initial_password",
        OPENED_BY,
        "video_id",
    }
)


def parameters_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a payload that decides what a task computes of a file."""
    return {key: value for key, value in payload.items() if key not in NOT_PARAMETERS}


def work_prefix(tenant_id: int, digest: str, *, task: str, version: int, identity: Mapping[str, Any]) -> str:
    """Below it lie the finished units of everybody in the tenant who asks the same of the same bytes."""
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    short = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"tenants/{tenant_id}/ai/work/{digest}/{task}-{version}-{short}/"


def result_prefix(tenant_id: int, job_id: object) -> str:
    return f"tenants/{tenant_id}/ai/results/{job_id}/"


def source_prefix(tenant_id: int) -> str:
    """Files fetched from a link, by content."""
    return f"tenants/{tenant_id}/ai/sources/"


def digest_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def kind_of(name: str) -> str:
    """The content type of an object, by its name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def refusal(error: BadInput) -> JobOutcome:
    """The end of a job whose file cannot be worked on."""
    detail = {"detail": error.detail} if error.detail else {}
    return JobOutcome(state=REASONS[error.code].state, error_code=error.code, result=detail)
