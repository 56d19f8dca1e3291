"""The HTTP API: `uvicorn api.app:served`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware.exceptions import ExceptionMiddleware
from temporalio.client import Client

from api import links, metrics, problems
from api.auth.callers import ServiceKeys, same_origin
from api.cache import Fresh
from api.console.site import site
from api.middleware import requests
from api.middleware.idempotency import HEADER, Idempotency
from api.middleware.limits import Bodies, Rates
from api.middleware.polls import Polls
from api.middleware.requests import Requests
from api.problems import MEDIA_TYPE, Problem
from api.routes import (
    accounts,
    callbacks,
    codec,
    events,
    hls,
    legacy,
    media,
    messaging,
    playback,
    uploads,
    webhooks,
)
from api.routes import jobs as job_routes
from api.routes.events import Watches
from clients import progress, temporal
from clients.database import jobs, videos
from clients.database.engine import create_engine
from clients.keys import TenantKeys
from clients.progress import ProgressBoard
from clients.settings import Settings, load
from clients.uploads import UploadStore
from clients.vault import Vault
from intake.errors import INFRASTRUCTURE_ERRORS
from intake.submit import Submitter

PROBE_TIMEOUT = 3.0


@dataclass(frozen=True)
class Services:
    """What the routes use, built once. `seen_*` are rows of the database up to a second old."""

    engine: AsyncEngine
    temporal: Client
    redis: Redis
    board: ProgressBoard
    objects: UploadStore
    submitter: Submitter
    keys: TenantKeys
    vault: Vault
    service_keys: ServiceKeys
    rates: Rates
    watches: Watches
    seen_jobs: Fresh[tuple[int, str], Row[Any]]
    seen_videos: Fresh[tuple[int, int], tuple[Row[Any], Row[Any] | None]]
    settings: Settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    requests.configure_logging()
    settings = load()
    engine = create_engine(settings, "api")
    # Lazy: reading goes on while Temporal is away.
    client = await temporal.connect(settings, engine, lazy=True)
    redis = progress.connect(settings)
    vault = Vault(settings.payload_keys.get_secret_value())
    app.state.services = Services(
        engine=engine,
        temporal=client,
        redis=redis,
        board=ProgressBoard(redis),
        objects=UploadStore(settings),
        submitter=Submitter(engine, client, vault),
        keys=TenantKeys(engine, vault),
        vault=vault,
        service_keys=ServiceKeys(engine),
        rates=Rates(settings.api_requests_per_second, settings.api_burst),
        watches=Watches(),
        seen_jobs=Fresh(lambda key: _job(engine, *key), legacy.SEEN_SECONDS),
        seen_videos=Fresh(lambda key: _video(engine, *key), legacy.SEEN_SECONDS),
        settings=settings,
    )
    yield
    await redis.aclose()
    await engine.dispose()


_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

app = FastAPI(
    title="Academy Workflows",
    version="1",
    lifespan=lifespan,
    dependencies=[Depends(same_origin)],
    responses={"4XX": _PROBLEM, 503: _PROBLEM},
)
for each in (
    legacy,
    job_routes,
    events,
    uploads,
    media,
    messaging,
    webhooks,
    accounts,
    callbacks,
    codec,
    metrics,
    playback,
    hls,
):
    app.include_router(each.router)
app.mount("/console", site(app))
problems.install(app)
# The last one is outermost. What the inner two raise is answered as what routes raise.
app.add_middleware(Idempotency)
app.add_middleware(Bodies)
app.add_middleware(
    ExceptionMiddleware,
    handlers={kind: answer for kind, answer in app.exception_handlers.items() if kind is not Exception},
)
app.add_middleware(Requests)
served = Polls(app)


def _openapi() -> dict[str, Any]:
    """Adds what holds for every operation: the schema of problems, and `Idempotency-Key` of every POST; and
    links from what is made to what can be done with it."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        key = {"name": HEADER, "in": "header", "required": False, "description": "Asked twice, done once"}
        key["schema"] = {"type": "string", "maxLength": 100, "pattern": r"^[\x21-\x7e]+$"}
        for path, methods in document["paths"].items():
            if "post" in methods and path.startswith("/api/"):
                others = methods["post"].get("parameters", [])
                kept = [other for other in others if other["name"].lower() != HEADER.lower()]
                methods["post"]["parameters"] = [*kept, key]
        links.add(document["paths"])
        app.openapi_schema = document
    return app.openapi_schema


app.openapi = _openapi  # type: ignore[method-assign]


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@app.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Whether jobs can be accepted and started now; names what is missing. Without Redis all but the
    display goes on: that is degraded, not missing."""
    services: Services = request.app.state.services
    asked = {
        "postgres": _database_answers(services),
        "temporal": services.temporal.service_client.check_health(timeout=timedelta(seconds=PROBE_TIMEOUT)),
        "objects": asyncio.to_thread(services.objects.ping),
        "redis": services.redis.ping(),
    }
    answers = await asyncio.gather(*(_answers(each) for each in asked.values()))
    away = [name for name, there in zip(asked, answers, strict=True) if not there]
    missing, degraded = [name for name in away if name != "redis"], [name for name in away if name == "redis"]
    body = {"status": "missing" if missing else "ok", "missing": missing, "degraded": degraded}
    return JSONResponse(body, 503 if missing else 200)


async def _answers(asked: Any) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await asked
    except (*INFRASTRUCTURE_ERRORS, RuntimeError, RedisError, ClientError, BotoCoreError):
        return False
    return True


async def _database_answers(services: Services) -> None:
    async with services.engine.connect() as connection:
        await jobs.ping(connection)


async def _job(engine: AsyncEngine, tenant_id: int, external_id: str) -> Row[Any] | None:
    async with engine.connect() as connection:
        return await jobs.find(connection, tenant_id, external_id)


async def _video(
    engine: AsyncEngine, tenant_id: int, video_id: int
) -> tuple[Row[Any], Row[Any] | None] | None:
    async with engine.connect() as connection:
        video = await videos.find(connection, tenant_id, video_id)
        if video is None or video.deleted_at:
            return None
        job = await jobs.get(connection, video.current_job) if video.current_job else None
        return video, job
