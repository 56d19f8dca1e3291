"""The Temporal client that every process uses."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import cache

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import WorkerDeploymentConfig

from clients import tracing
from clients.codec import converter
from clients.keys import TenantKeys
from clients.sdk_metrics import SDK_METRICS
from clients.settings import Settings
from clients.vault import Vault

AGAIN = 3.0  # seconds
log = logging.getLogger(__name__)

SEARCH_ATTRIBUTES = ("TenantId", "JobType", "Stage")


class SearchAttributesMissing(Exception):
    """The namespace lacks search attributes; every start would be refused."""


async def connect(
    settings: Settings, engine: AsyncEngine, lazy: bool = False, *, measured: bool = False
) -> Client:
    """A client that encrypts what `clients.codec` says, with keys out of the database of `engine`.

    `lazy` connects on the first call, so that the API answers while Temporal is away. `measured`: what the
    SDK tells of itself goes to SDK_METRICS, which somebody has to keep drained.

    Raises RuntimeError when the server does not answer.
    """
    key = settings.temporal_api_key
    keys = TenantKeys(engine, Vault(settings.payload_keys.get_secret_value()))
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        api_key=key.get_secret_value() if key else None,
        tls=settings.temporal_tls_config(),
        runtime=runtime(settings.worker_heartbeat_seconds, measured=measured),
        data_converter=converter(keys),
        interceptors=tracing.interceptors(),
        lazy=lazy,
    )


@cache
def runtime(heartbeat_seconds: float, *, measured: bool = False) -> Runtime:
    """One for each process: its workers tell the server their slots in use this often."""
    made = Runtime(
        telemetry=TelemetryConfig(
            metrics=SDK_METRICS.buffer if measured else None, attach_service_name=False
        ),
        worker_heartbeat_interval=timedelta(seconds=heartbeat_seconds),
    )
    SDK_METRICS.runs |= measured
    return made


async def connect_when_up(settings: Settings, engine: AsyncEngine, stop: asyncio.Event) -> Client:
    """For workers: wait for a server that starts later than we do, until `stop`."""
    while not stop.is_set():
        try:
            return await connect(settings, engine, measured=settings.health_address is not None)
        except RuntimeError as error:
            log.warning("Temporal at %s does not answer, trying again: %s", settings.temporal_address, error)
        with suppress(TimeoutError):
            async with asyncio.timeout(AGAIN):
                await stop.wait()
    raise SystemExit(0)


def build(settings: Settings) -> WorkerDeploymentConfig:
    """The name of a worker's build. Without one the SDK hashes every module that is loaded, half a second of
    each start, to a name that nobody can read.
    """
    version = WorkerDeploymentVersion("academy-workflows", settings.build_id)
    return WorkerDeploymentConfig(version, use_worker_versioning=False)


async def require_search_attributes(client: Client) -> None:
    """Raises SearchAttributesMissing, which tells how to add them."""
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    if missing := [name for name in SEARCH_ATTRIBUTES if name not in answer.custom_attributes]:
        flags = " ".join(f"--name {name} --type Keyword" for name in missing)
        raise SearchAttributesMissing(
            f"namespace {client.namespace} lacks search attributes; run: "
            f"temporal operator search-attribute create {flags}"
        )
