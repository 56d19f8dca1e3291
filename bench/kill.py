"""One of two workers killed by SIGKILL in an encode: what it costs, and whether a byte differs."""

import asyncio
import os
import random
import signal
import time

from devstack.app import running
from devstack.demo import repeat
from tests.faults.test_worker import contents, starts
from tests.lab import SAMPLE, Lab

TIMES = 6  # 32 seconds, four units
KILLS = 3
WORKERS = ("video", "video-2")


async def run(lab: Lab) -> dict[str, object]:
    source = lab.stack.data_dir / "tmp" / "lecture.mp4"
    repeat(SAMPLE, TIMES, source)
    moments = random.Random(7)
    async with running(lab.stack, "bridge", "ops", *WORKERS, ENCODE_SLOTS="1") as app:
        began = time.monotonic()
        lab.send_encode(1, 1, source)
        await lab.ended(1)
        calm = time.monotonic() - began
        reference = await contents(lab, 1, 1)
        units = sum(starts(lab.stack, *WORKERS).values())
        took, again = [], []
        for number in range(2, 2 + KILLS):
            before = sum(starts(lab.stack, *WORKERS).values())
            began = time.monotonic()
            lab.send_encode(number, 1, source)
            await asyncio.sleep(moments.uniform(0.3, 0.8) * calm)
            os.kill(app.processes["video"].pid, signal.SIGKILL)
            await asyncio.to_thread(app.restart, "video")
            await lab.ended(number)
            took.append(time.monotonic() - began)
            again.append(sum(starts(lab.stack, *WORKERS).values()) - before - units)
            assert await contents(lab, number, 1) == reference, "other bytes than without the kill"
            print(f"kill {number - 1}: {took[-1]:.1f} s, {again[-1]} units again", flush=True)
    ours = sum(took) / len(took)
    return {
        "ours": round(ours, 1),
        "peers": {"undisturbed": round(calm, 1)},
        "ratio": round(ours / calm, 2),
        "unit": "s for 32 s of 720p, two workers of one encoder slot, the killed one started again at once",
        "units_encoded_again": again,
        "bytes": "identical",
    }
