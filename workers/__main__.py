"""`python -m workers video|messaging|ai|ops|bridge`, or `scaler`, which ends."""

import asyncio
import os
import sys

from activities.host.cage.caging import hide
from clients import metrics, tracing
from clients.settings import Settings, load
from clients.settings_sources import Process
from workers import lifecycle, log
from workers.health import HEALTH, told
from workers.notice import Notice, until_noticed


async def _work(role: str, settings: Settings, stop: asyncio.Event) -> None:
    # Each role imports only what it runs.
    match role:
        case "video":
            from workers.video import video as start
        case "messaging":
            from workers.messaging import messaging as start
        case "ai":
            from workers.ai import ai as start
        case "ops":
            from workers.ops import ops as start
        case "bridge":
            from workers.bridge_main import bridge as start
        case _:
            raise AssertionError(role)
    metrics.show_process(role, settings)
    tracing.begin(role, settings.otel_exporter_otlp_endpoint)
    notice = _notice(settings)
    watching = asyncio.create_task(until_noticed(notice, stop)) if notice else None
    async with told(role, HEALTH, settings.health_address, stop):
        await start(settings, stop)
    if notice and watching:
        watching.cancel()
        await notice.done()


def _notice(settings: Settings) -> Notice | None:
    """On an instance of a group: what tells that it is taken away."""
    hook, group = settings.drain_hook, settings.drain_group
    return Notice(hook, group, settings.aws_region) if hook and group else None


def main() -> None:
    roles = ("video", "messaging", "ai", "ops", "bridge")
    if sys.argv[1:] == ["scaler"]:
        from workers import scaler

        scaler.main()
    if len(sys.argv) != 2 or sys.argv[1] not in roles:
        raise SystemExit(f"usage: python -m workers {'|'.join(roles)} or scaler")
    log.configure()
    hide()  # what it holds, from those that it starts
    os.umask(0o077)  # what we write holds what people have uploaded
    settings = load(Process(sys.argv[1]))
    lifecycle.run(lambda stop: _work(sys.argv[1], settings, stop))


if __name__ == "__main__":
    main()
