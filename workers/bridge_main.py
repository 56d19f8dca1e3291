"""`python -m workers bridge`: wiring of the bridge."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

from clients import temporal
from clients.database.engine import create_engine
from clients.queues import RECEIVES, Queue
from clients.settings import Settings
from clients.vault import Vault
from intake.errors import ErrorKind, classify
from intake.submit import Submitter
from workers.binding import TenantBindings
from workers.breaker import Breaker
from workers.bridge import Bridge
from workers.health import HEALTH
from workers.running import READY

PROBE_TIMEOUT = timedelta(seconds=5)
# Calls to SQS block. Each queue has one that waits for messages: nearly all threads that Python has by itself
# on two cores, and batches, leases and dead letters need theirs beside.
THREADS = 64

log = logging.getLogger(__name__)


def bindings_of(settings: Settings) -> TenantBindings:
    """SystemExit where it is said how signatures are checked, and there is no key to do it with."""
    keys = settings.binding_keys()
    if settings.tenant_binding and not keys:
        raise SystemExit("configuration: TENANT_BINDING says something, and TENANT_BINDING_KEYS is not set")
    return TenantBindings(keys, settings.tenant_binding or "require")


async def bridge(settings: Settings, stop: asyncio.Event) -> None:
    bindings = bindings_of(settings)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    engine = create_engine(settings, "bridge")
    client = await temporal.connect_when_up(settings, engine, stop)
    await temporal.require_search_attributes(client)
    submitter = Submitter(engine, client, Vault(settings.payload_keys.get_secret_value()))

    async def probe() -> None:
        await submitter.rehearse()
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=PROBE_TIMEOUT
        )

    def transient(error: Exception) -> bool:
        return classify(error) in (ErrorKind.UNKNOWN, ErrorKind.BACK_OFF)

    queues = {
        name: await asyncio.to_thread(Queue, settings, queue_name)
        for name, queue_name in settings.queue_names().items()
    }
    for name, queue in queues.items():
        if (receives := await asyncio.to_thread(queue.receives)) and receives < RECEIVES:
            told = "%s gives messages up after %d receives: healthy ones need %d in an outage"
            log.warning(told, name, receives, RECEIVES)
    HEALTH.started()
    log.info(READY)
    breaker = Breaker(probe, transient)
    await Bridge(queues, submitter, breaker, stop, settings.external, bindings).run()
    await engine.dispose()
