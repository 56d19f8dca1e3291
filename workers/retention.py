"""`python -m workers retention`: what is kept longer than its period, as lines of JSON; with `--enforce` it
goes, as the daily `ops.retain` does it."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from clients.database.engine import create_engine
from clients.objects import Objects
from clients.settings import Settings
from intake.retention import Over, Retention


async def run(settings: Settings, *, enforce: bool) -> list[Over]:
    engine = create_engine(settings, "retention")
    try:
        return await Retention(settings, engine, Objects(settings)).run(enforce=enforce)
    finally:
        await engine.dispose()


def main(settings: Settings, argv: list[str]) -> None:
    """Ends with 0."""
    parser = argparse.ArgumentParser(prog="workers retention")
    parser.add_argument("--enforce", action="store_true", help="remove it; else it is only counted")
    enforce = parser.parse_args(argv).enforce
    for each in asyncio.run(run(settings, enforce=enforce)):
        sys.stdout.write(json.dumps(asdict(each)) + "\n")
    raise SystemExit(0)
