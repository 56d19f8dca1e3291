"""Stopping a job, and running one again: the same whether a request or an operator's command asks."""

from contextlib import suppress

from temporalio.service import RPCError, RPCStatusCode

from api.jobs import submit
from api.problems import refused
from api.services import Services
from clients.database import jobs, messaging, videos
from clients.database.accepting import Acceptance, Accepted
from clients.database.jobs import SealedJob
from contracts.catalog import CATALOG, Domain
from contracts.errors import CANCELLED, REASONS, VERSION_CHANGED
from contracts.jobs import FINAL_STATES, RETRYABLE_STATES, JobOutcome, JobRequest, payload_sha256
from contracts.queues.video import VOLATILE
from contracts.trim import version_name
from intake.submit import RPC_TIMEOUT


async def stop(services: Services, job: SealedJob) -> None:
    """Ask a job to stop. HTTPException 409 when it has ended, 503 while Temporal does not answer."""
    if job.state in FINAL_STATES:
        raise refused(409, "already_final", f"The job has ended: {job.state}.")
    handle = services.temporal.get_workflow_handle(job.workflow_id)
    of_messages = CATALOG[job.job_type].domain is Domain.MESSAGING
    async with services.engine.begin() as connection:
        await jobs.add_event(connection, job.id, "cancel asked")
        if of_messages:
            assert job.tenant_id is not None, "messages are a tenant's"
            await messaging.request_cancel(connection, job.id, job.tenant_id)
    if of_messages:
        # What was written is asked for before every send; this only makes it sooner.
        with suppress(RPCError, RuntimeError):
            await handle.signal("cancel", rpc_timeout=RPC_TIMEOUT)
        return
    try:
        await handle.cancel(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        await _end_unstarted(services, job)
    except RuntimeError:  # the client has not reached Temporal since we started
        detail = "Temporal does not answer. Send the same again in a moment."
        raise refused(503, "unavailable", detail, Retry_After="5") from None


async def run_again(services: Services, job: SealedJob) -> Accepted:
    """The same request again, as a new job; once for each job. HTTPException 409 with the reason when it
    cannot be."""
    if job.state not in FINAL_STATES:
        raise refused(409, "not_final", "The job has not ended yet.")
    if job.state not in RETRYABLE_STATES:
        raise refused(409, "not_retryable", f"A job that ended {job.state} is not tried again.")
    if job.sealed_payload is None:
        why = "is kept for a week" if CATALOG[job.job_type].kept_for_retry else "is not kept for this type"
        raise refused(409, "payload_gone", f"What a job was asked for {why}: send a new one.")
    payload = services.submitter.payload(job.id, job.sealed_payload)
    if job.job_type == "video.encode":
        assert job.tenant_id is not None, "a lecture is a tenant's"
        async with services.engine.connect() as connection:
            video = await videos.find(connection, job.tenant_id, payload["video_id"])
        if video is None or video.deleted_at or video.file_key != payload["file_key"]:
            raise refused(409, "superseded", "The video is gone, or has a newer file.")
    if job.job_type == "video.trim":
        assert job.tenant_id is not None, "a lecture is a tenant's"
        async with services.engine.connect() as connection:
            shown = await videos.published_prefix(connection, job.tenant_id, payload["video_id"])
        if shown is None or version_name(shown) != payload["version"]:
            raise refused(409, "version_changed", REASONS[VERSION_CHANGED].en)
    again = JobRequest(
        job_type=job.job_type,
        tenant_id=job.tenant_id,
        idempotency_key=f"retry:{job.id}",
        subject=job.subject,
        payload=payload,
        payload_sha256=payload_sha256(payload, VOLATILE),
        source="api",
    )
    accepted = await submit(services, again)
    if accepted.status is Acceptance.FINAL:
        raise refused(409, "already_retried", f"It was tried again as {accepted.job_id}: retry that one.")
    return accepted


async def _end_unstarted(services: Services, job: SealedJob) -> None:
    """Accepted, and never started: a start that is on its way meanwhile finds it final."""
    async with services.engine.begin() as connection:
        outcome = JobOutcome(state=REASONS[CANCELLED].state, error_code=CANCELLED)
        await jobs.finish(connection, job.id, outcome)
        await videos.fail_encode(connection, job.id, CANCELLED)
