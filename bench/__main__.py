"""Run one measurement, or all, each in a fresh stack; each ends with one JSON line."""

import asyncio
import importlib
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from devstack.stack import Stack
from tests.lab import Lab

NAMES = (
    "encode",
    "embedding",
    "beginning",
    "bridge",
    "capacity",
    "kill",
    "messages",
    "duplicates",
    "ocr",
    "roster",
    "scale",
    "search",
    "fairness",
    "memory",
    "polls",
    "stack",
)


async def measure(name: str) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o711)
    try:
        with Stack(folder) as stack:
            lab = await Lab.open(stack)
            result: dict[str, object] = await importlib.import_module(f"bench.{name}").run(lab)
            await lab.close()
    finally:
        shutil.rmtree(folder)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}"
    return {"name": name} | result | {"machine": machine}


def main() -> None:
    names = sys.argv[1:] or list(NAMES)
    if unknown := set(names) - set(NAMES):
        raise SystemExit(f"no such measurement: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in names:
        print(json.dumps(asyncio.run(measure(name))), flush=True)


if __name__ == "__main__":
    main()
