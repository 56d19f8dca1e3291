"""Whether this process answers, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api import metrics
from api.fleet import Waiting
from api.services import Services, UseServices
from api.standing import Standing
from clients.confinement import lacking
from clients.progress import SICK
from intake.errors import INFRASTRUCTURE_ERRORS

PROBE_TIMEOUT = 3.0

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(services: UseServices) -> JSONResponse:
    """Whether jobs can be accepted and started now; names what is missing. Without Redis all but the
    display goes on, and without the reconciler all but repairs: that is degraded, not missing. Tells when the
    reconciler last ran and how old the oldest open job is, unless Postgres or Temporal is away."""
    checks = {
        "postgres": _database_answers(services),
        "temporal": services.temporal.service_client.check_health(timeout=timedelta(seconds=PROBE_TIMEOUT)),
        "objects": asyncio.to_thread(services.objects.ping),
        "redis": services.redis.ping(),
    }
    answers, standing = await asyncio.gather(
        asyncio.gather(*(_answers(each) for each in checks.values())), _standing(services)
    )
    away = [name for name, there in zip(checks, answers, strict=True) if not there]
    missing, degraded = [name for name in away if name != "redis"], [name for name in away if name == "redis"]
    if standing and standing.late:
        degraded.append("reconciler")
    unconfined = {name: lacks for name, lacks in (await _confinement(services)).items() if lacks}
    body: dict[str, object] = {
        "status": "missing" if missing else "ok",
        "missing": missing,
        "degraded": degraded,
    }
    body |= {"unconfined": unconfined} if unconfined else {}
    return JSONResponse(body | (standing.told() if standing else {}), 503 if missing else 200)


@router.get("/metrics", include_in_schema=False)
async def prometheus(services: UseServices) -> Response:
    # At once: Prometheus waits ten seconds for a page, of which each server that hangs takes PROBE_TIMEOUT.
    standing, confinement, dead, waiting, low = await asyncio.gather(
        _standing(services), _confinement(services), _dead(services), _waiting(services), _low(services)
    )
    metrics.show(standing)
    metrics.show_confinement(confinement)
    metrics.show_dead(dead)
    metrics.show_waiting(waiting)
    metrics.show_low(low)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _standing(services: Services) -> Standing | None:
    """None while Postgres or Temporal is away."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            return await services.standing.get(None)
    except (*INFRASTRUCTURE_ERRORS, RuntimeError):
        return None


async def _waiting(services: Services) -> list[Waiting]:
    """Nothing while Temporal is away."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            return await services.waiting.get(None) or []
    except (*INFRASTRUCTURE_ERRORS, RuntimeError):
        return []


async def _low(services: Services) -> int | None:
    """None while Postgres is away."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            return await services.low.get(None)
    except INFRASTRUCTURE_ERRORS:
        return None


async def _confinement(services: Services) -> dict[str, list[str]]:
    """What workers have told of their hosts (`clients.confinement`); nothing while Redis is away."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            return await lacking(services.redis)
    except (*SICK, TimeoutError, ValueError):
        return {}


async def _dead(services: Services) -> dict[str, int]:
    """Nothing while SQS is away, or shows us nothing."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            return await services.dead.get(None) or {}
    except (BotoCoreError, ClientError, TimeoutError):
        return {}


async def _answers(check: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await check
    except (*INFRASTRUCTURE_ERRORS, RuntimeError, *SICK, ClientError, BotoCoreError):
        return False
    return True


async def _database_answers(services: Services) -> None:
    """By a write: a primary that was demoted, or whose disk is full, answers a question all the same."""
    await services.submitter.rehearse()
