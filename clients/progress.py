"""Live progress in Redis. Redis away stops nothing: the display misses a while, jobs go on."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from pydantic import ValidationError
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from clients.connections import RedisPart
from contracts.progress import Progress

VIDEO_TTL = 4 * 3600
JOB_TTL = 3600
PAUSE_AFTER_FAILURE = 10.0  # seconds in which a sick Redis is not asked again
SICK = (RedisError, RedisClusterException, OSError)  # a cluster of which nobody answers is no RedisError

log = logging.getLogger(__name__)

Server: TypeAlias = Redis | RedisCluster


def connect(settings: RedisPart) -> Server:
    password = settings.redis_password
    common: dict[str, Any] = {
        "username": settings.redis_username,
        "password": password.get_secret_value() if password else None,
        "ssl": settings.redis_tls,
        "ssl_ca_certs": str(settings.redis_tls_ca) if settings.redis_tls_ca else None,
        "decode_responses": True,
        "socket_connect_timeout": 0.5,
        "socket_timeout": 0.5,
        "retry": Retry(NoBackoff(), 1),  # a connection that was cut while it lay idle; nobody waits for more
    }
    if settings.redis_cluster:
        return RedisCluster(host=settings.redis_host, port=settings.redis_port, **common)
    return Redis(host=settings.redis_host, port=settings.redis_port, db=settings.redis_db, **common)


def video_key(tenant_id: int, video_id: int) -> str:
    return f"tenant:{tenant_id}:video:{video_id}:progress"


def job_key(tenant_id: int, job_id: UUID) -> str:
    return f"tenant:{tenant_id}:job:{job_id}:progress"


class ProgressBoard:
    """Writes both key forms that readers know, and reads them back."""

    def __init__(self, redis: Server) -> None:
        self._redis = redis
        self._quiet_until = 0.0

    async def show_video(self, tenant_id: int, video_id: int, job_id: UUID, progress: Progress) -> None:
        text = progress.model_dump_json()

        async def write() -> None:
            async with self._redis.pipeline(transaction=False) as pipe:
                for old, new, ttl in (
                    (f"job:video:{video_id}:progress", video_key(tenant_id, video_id), VIDEO_TTL),
                    (f"job:{job_id}:progress", job_key(tenant_id, job_id), JOB_TTL),
                ):
                    pipe.set(old, text, ex=ttl)
                    pipe.set(new, text, ex=ttl)
                await pipe.execute()

        await self._try(write)

    async def show_job(self, tenant_id: int, job_id: UUID, progress: Progress) -> None:
        text = progress.model_dump_json()

        async def write() -> None:
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in (f"job:{job_id}:progress", job_key(tenant_id, job_id)):
                    pipe.set(key, text, ex=JOB_TTL)
                await pipe.execute()

        await self._try(write)

    async def add_frames(self, job_id: UUID, batch: int, frames: int) -> int:
        """Note how far one batch is; returns the frames of all batches (of this one, if Redis is away)."""

        async def write() -> int:
            key = f"job:{job_id}:frames"
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hset(key, str(batch), str(frames))
                pipe.expire(key, VIDEO_TTL)
                pipe.hvals(key)
                *_, values = await pipe.execute()
            return sum(int(value) for value in values)

        return await self._try(write) or frames

    async def read(self, key: str) -> Progress | None:
        """The progress under a key, None if there is none or Redis is away."""
        text = await self.read_text(key)
        return _shown(text) if text else None

    async def read_text(self, key: str) -> str | None:
        """As `read`, in JSON."""

        result: str | None = await self._try(lambda: self._redis.get(key))
        return result

    async def read_many(self, keys: Sequence[str]) -> list[Progress | None]:
        """As `read`, for several at once."""

        async def get() -> list[Progress | None]:
            async with self._redis.pipeline(transaction=False) as pipe:  # a cluster's MGET has one slot only
                for key in keys:
                    pipe.get(key)
                texts = await pipe.execute()
            return [_shown(text) if text else None for text in texts]

        return await self._try(get) or [None] * len(keys)

    @property
    def away(self) -> bool:
        """Whether Redis failed lately and is not asked for a moment."""
        return time.monotonic() < self._quiet_until

    async def _try(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.away:
            return None
        try:
            return await call()
        except ValueError as error:  # somebody else's, under a key of ours
            log.warning("redis has something else where progress should be: %s", type(error).__name__)
            return None
        except SICK as error:
            self._quiet_until = time.monotonic() + PAUSE_AFTER_FAILURE
            log.warning("redis is away, progress is not shown: %s", type(error).__name__)
            return None


def _shown(text: str) -> Progress | None:
    try:
        return Progress.model_validate_json(text)
    except ValidationError:  # as above
        return None
