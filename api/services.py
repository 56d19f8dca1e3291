"""What the routes use, built once, and the way to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection
from temporalio.client import Client

from api.auth.oidc import Provider
from api.auth.service_keys import KEY_SECONDS, ServiceKeys
from api.cache import Fresh
from api.dash import DashManifests
from api.fleet import Waiting, all_waiting
from api.growing import GrowingLectures
from api.rates import Rates
from api.standing import Standing, standing
from api.watches import Watches
from clients import progress, temporal
from clients.database import erasing, jobs, messaging_accounts, videos
from clients.database.engine import create_engine
from clients.database.erasing import Tombstone
from clients.database.jobs import JobRow, SealedJob
from clients.database.videos import VideoRow
from clients.depths import Depths
from clients.keys import TenantKeys
from clients.progress import ProgressBoard
from clients.sdk_metrics import SDK_METRICS
from clients.settings import Settings
from clients.uploads import UploadStore
from clients.vault import Vault
from intake.submit import Submitter

SEEN_SECONDS = 1.0  # how old the state of an open job may be that a poll sees

STANDING_SECONDS = 5.0
WAITING_SECONDS = 10.0  # Temporal itself counts what waits every five
# How old the number of dead letters may be: SQS counts approximately, and each look costs.
DEAD_SECONDS = 30.0
LOW_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """`seen_*` are rows of the database up to a second old."""

    engine: AsyncEngine
    temporal: Client
    redis: progress.Server
    board: ProgressBoard
    objects: UploadStore
    submitter: Submitter
    keys: TenantKeys
    vault: Vault
    service_keys: ServiceKeys
    tombstones: Fresh[int, Tombstone]
    rates: Rates
    watches: Watches
    seen_jobs: Fresh[tuple[int, str], SealedJob]
    seen_videos: Fresh[tuple[int, int], tuple[VideoRow, JobRow | None]]
    growing: GrowingLectures
    dash: DashManifests
    standing: Fresh[None, Standing]
    dead: Fresh[None, dict[str, int]]
    waiting: Fresh[None, list[Waiting]]
    low: Fresh[None, int]
    provider: Provider | None
    settings: Settings


def get_services(request: HTTPConnection) -> Services:
    """Those of the application that was asked; the console has its parent's."""
    services: Services = request.app.state.services
    return services


async def _services(request: HTTPConnection) -> Services:
    return get_services(request)  # FastAPI would call a function that is not async in a thread


UseServices = Annotated[Services, Depends(_services)]


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    engine = create_engine(settings, "api")
    # Lazy: reading goes on while Temporal is away.
    client = await temporal.connect(settings, engine, lazy=True, measured=True)
    draining = asyncio.create_task(SDK_METRICS.keep_drained())
    redis = progress.connect(settings)
    board = ProgressBoard(redis)
    vault = Vault(settings.payload_keys.get_secret_value())
    objects = UploadStore(settings)
    yield Services(
        engine=engine,
        temporal=client,
        redis=redis,
        board=board,
        objects=objects,
        submitter=Submitter(engine, client, vault),
        keys=TenantKeys(engine, vault),
        vault=vault,
        service_keys=ServiceKeys(engine),
        tombstones=Fresh(lambda tenant: _tombstone(engine, tenant), KEY_SECONDS),
        rates=Rates(settings.api_requests_per_second, settings.api_burst),
        watches=Watches(engine, client, board),
        seen_jobs=Fresh(lambda key: _job(engine, *key), SEEN_SECONDS),
        seen_videos=Fresh(lambda key: _video(engine, *key), SEEN_SECONDS),
        growing=GrowingLectures(objects),
        dash=DashManifests(objects),
        standing=Fresh(lambda _: standing(engine, client), STANDING_SECONDS),
        dead=Fresh(lambda _: asyncio.to_thread(_dead, settings), DEAD_SECONDS),
        waiting=Fresh(lambda _: all_waiting(client), WAITING_SECONDS),
        low=Fresh(lambda _: _low(engine), LOW_SECONDS),
        provider=Provider(settings, vault) if settings.oidc_issuer else None,
        settings=settings,
    )
    draining.cancel()
    await redis.aclose()
    await engine.dispose()


async def _low(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return await messaging_accounts.low_on_credit(connection)


def _dead(settings: Settings) -> dict[str, int]:
    """How many dead letters each queue has, by our names of queues. Blocks."""
    depths = Depths(settings)
    return {name: depths.dead([name]) for name in settings.queue_names()}


async def _tombstone(engine: AsyncEngine, tenant_id: int) -> Tombstone:
    async with engine.connect() as connection:
        return await erasing.tombstone(connection, tenant_id)


async def _job(engine: AsyncEngine, tenant_id: int, external_id: str) -> SealedJob | None:
    async with engine.connect() as connection:
        return await jobs.find(connection, tenant_id, external_id)


async def _video(engine: AsyncEngine, tenant_id: int, video_id: int) -> tuple[VideoRow, JobRow | None] | None:
    async with engine.connect() as connection:
        video = await videos.find(connection, tenant_id, video_id)
        if video is None or video.deleted_at:
            return None
        job = await jobs.get(connection, video.current_job) if video.current_job else None
        return video, job
