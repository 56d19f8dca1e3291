"""What routes do with jobs: find one, accept and start one, link its files. Another tenant's is a 404."""

import logging
from typing import Any

from fastapi import Request
from temporalio.service import RPCError

from api import metrics
from api.auth import audit
from api.auth.access import require_recent
from api.problems import not_found
from api.services import Services
from clients.database import jobs
from clients.database.accepting import Acceptance, Accepted
from clients.database.jobs import JobRow, SealedJob
from contracts.jobs import JobRequest
from intake.errors import NamespaceDamaged, StartRefused
from intake.submit import refuse_unusable

log = logging.getLogger(__name__)

LINK_SECONDS = 3600


async def submit(services: Services, job_request: JobRequest) -> Accepted:
    """Accept a request and start it. Once its row is there it is accepted, whether or not Temporal answers:
    what did not start is started by the reconciler. Raises IdempotencyMismatch, TenantErased, and the
    database's errors when nothing was accepted."""
    (accepted,) = await services.submitter.accept([job_request])
    refuse_unusable(accepted)
    metrics.SUBMITS.labels(job_request.job_type, accepted.status).inc()
    if accepted.status in (Acceptance.NEW, Acceptance.OPEN):
        try:
            await services.submitter.start(accepted)
        except StartRefused:
            await services.submitter.refuse(accepted)
        except (RPCError, NamespaceDamaged, TimeoutError, RuntimeError) as error:
            log.warning("job %s is accepted and not started yet: %s", accepted.job_id, type(error).__name__)
    return accepted


async def find_job(services: Services, tenant: int, job_id: str) -> SealedJob:
    async with services.engine.connect() as connection:
        job = await jobs.find(connection, tenant, job_id)
    if job is None:
        raise not_found("job")
    return job


async def seen_job(services: Services, tenant: int, job_id: str) -> SealedJob:
    """As `find_job`, up to a second old: for those who ask again and again."""
    job = await services.seen_jobs.get((tenant, job_id))
    if job is None:
        raise not_found("job")
    return job


def seen(request: Request, job: JobRow) -> None:
    """A job is shown to who asks: its result may be of persons, and its files of many. HTTPException 403 for
    staff who must show again who they are."""
    if not job.result:
        audit.nothing_shown(request)
    elif job.result.get("files") and not job.job_type.startswith("video."):
        require_recent(request)


def links(services: Services, tenant: int, result: dict[str, Any] | None) -> dict[str, str]:
    """Addresses of a result's files, made now and good for an hour. They are never stored: see failure 18
    of the system before this one."""
    files = (result or {}).get("files")
    mine = f"tenants/{tenant}/"
    return {
        name: services.objects.link(key, LINK_SECONDS)
        for name, key in (files.items() if isinstance(files, dict) else ())
        if isinstance(key, str) and key.startswith(mine)
    }
