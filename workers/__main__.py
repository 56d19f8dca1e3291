"""`python -m workers video|messaging|ai|ops|bridge`, or what ends:
`reconcile --after-restore`, `erase tenant`, `retention`."""

import asyncio
import os
import sys

from activities.host.cage.caging import hide
from clients.settings import Settings, load
from workers import lifecycle, log


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
    await start(settings, stop)


def main() -> None:
    roles = ("video", "messaging", "ai", "ops", "bridge")
    if sys.argv[1:2] == ["reconcile"]:
        from workers import after_restore

        after_restore.main(load(), sys.argv[2:])
    if sys.argv[1:2] == ["erase"]:
        from workers import erase

        erase.main(load(), sys.argv[2:])
    if sys.argv[1:2] == ["retention"]:
        from workers import retention

        retention.main(load(), sys.argv[2:])
    if len(sys.argv) != 2 or sys.argv[1] not in roles:
        raise SystemExit(f"usage: python -m workers {'|'.join(roles)}, reconcile, erase or retention")
    log.configure()
    hide()  # what it holds, from those that it starts
    os.umask(0o077)  # what we write holds what people have uploaded
    settings = load()
    lifecycle.run(lambda stop: _work(sys.argv[1], settings, stop))


if __name__ == "__main__":
    main()
