"""`python -m workers retention`: what is kept longer than its period, as lines of JSON; with `--enforce` it
goes, as the daily `ops.retain` does it."""

import asyncio
import json
import sys
from dataclasses import asdict

from clients import operators
from clients.objects import Objects
from clients.operators import Command, Operator, acting
from clients.settings import Settings
from intake.retention import Over, Retention


async def run(settings: Settings, operator: Operator, *, enforce: bool) -> list[Over]:
    command = Command.ENFORCE_RETENTION if enforce else Command.LOOK_AT_RETENTION
    async with acting(settings, operator, command, None) as act:
        found = await Retention(settings, act.engine, Objects(settings)).run(enforce=enforce)
        act.about["removed"] = sum(each.removed for each in found)
        return found


def main(settings: Settings, argv: list[str]) -> None:
    """Ends with 0."""
    parser = operators.parser("workers retention")
    parser.add_argument("--enforce", action="store_true", help="remove it; else it is only counted")
    given = parser.parse_args(argv)
    for each in asyncio.run(run(settings, operators.who(given), enforce=given.enforce)):
        sys.stdout.write(json.dumps(asdict(each)) + "\n")
    raise SystemExit(0)
