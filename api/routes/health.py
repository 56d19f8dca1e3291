"""Whether this process answers, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError

from api.services import Services, UseServices
from clients.database import jobs
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
    display goes on: that is degraded, not missing."""
    checks = {
        "postgres": _database_answers(services),
        "temporal": services.temporal.service_client.check_health(timeout=timedelta(seconds=PROBE_TIMEOUT)),
        "objects": asyncio.to_thread(services.objects.ping),
        "redis": services.redis.ping(),
    }
    answers = await asyncio.gather(*(_answers(each) for each in checks.values()))
    away = [name for name, there in zip(checks, answers, strict=True) if not there]
    missing, degraded = [name for name in away if name != "redis"], [name for name in away if name == "redis"]
    body = {"status": "missing" if missing else "ok", "missing": missing, "degraded": degraded}
    return JSONResponse(body, 503 if missing else 200)


async def _answers(check: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await check
    except (*INFRASTRUCTURE_ERRORS, RuntimeError, RedisError, ClientError, BotoCoreError):
        return False
    return True


async def _database_answers(services: Services) -> None:
    async with services.engine.connect() as connection:
        await jobs.ping(connection)
