"""The embedded stack: seconds to start again on its data, memory at rest."""

import asyncio
import time

import psutil

from tests.lab import Lab

REST = 20.0


async def run(lab: Lab) -> dict[str, object]:
    await asyncio.sleep(REST)
    memory = 0
    for pid in lab.stack.pids():
        memory += psutil.Process(pid).memory_full_info().pss
    await asyncio.to_thread(lab.stack.stop)
    began = time.monotonic()
    await asyncio.to_thread(lab.stack.start)
    return {
        "ours": round(memory / 2**20),
        "peers": {},
        "ratio": None,
        "unit": "MiB PSS of all servers at rest",
        "warm_start_s": round(time.monotonic() - began, 2),
    }
