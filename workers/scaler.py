"""Scaling from outside: `python -m workers scaler` looks once; `workers.scaler.handler` does so for Lambda,
every minute."""

import asyncio
import json
import os
import sys

from temporalio.client import Client

from clients import autoscaling
from clients.connections import ScalerPart
from clients.depths import Depths
from clients.settings_sources import Process, read_or_exit
from intake.scaling import Scaler
from workers import log


def scaler(settings: ScalerPart, client: Client) -> Scaler:
    groups = autoscaling.Groups(settings.aws_region, settings.scaler_namespace)
    return Scaler(client, groups, Depths(settings), settings.worker_heartbeat_seconds)


async def look(settings: ScalerPart) -> dict[str, int]:
    """Group → desired size. A Temporal that is away changes no size, and is told in the figures."""
    key = settings.temporal_api_key
    client = await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        api_key=key.get_secret_value() if key else None,
        tls=settings.temporal_tls_config(),
        lazy=True,
    )
    return await scaler(settings, client).scale(settings.scaler_groups)


def handler(_event: object, _context: object) -> dict[str, int]:
    """Anew each time, so that a setting that was changed counts from the next minute on."""
    log.configure()
    return asyncio.run(look(read_or_exit(ScalerPart, Process.SCALER, os.environ)))


def main() -> None:
    sys.stdout.write(json.dumps(handler(None, None)) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the SDK's threads now and then crash an interpreter that winds down
