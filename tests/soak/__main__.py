"""`make soak SEED=7 MINUTES=5`: everything at work, everything breaking, and then a count.

The seed decides what is asked for and what breaks; how the two meet is the machine's. Ends with one JSON
line, and with 1 where something was lost, done twice, left behind or wrong: then the logs are kept.
"""

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from devstack import processes
from devstack.app import running
from devstack.stack import Stack
from tests.lab import Lab
from tests.soak.faults import OURS, Chaos
from tests.soak.ledger import count, open_requests
from tests.soak.load import Load
from tests.soak.network import Network

DISK = "4g"  # the source cache leaves 2 GiB free
HEALING = 1200.0  # seconds after the last fault in which everything has to end
FAST = {"SOLAPI_REQUESTS_PER_SECOND": "500", "RETIRE_GRACE_SECONDS": "0", "SQS_HOLD_SECONDS": "20"}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """One that can be filled; None where we may not mount."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(folder)], capture_output=True
    )
    try:
        yield None if mounted.returncode else folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def soak(folder: Path, seed: int, minutes: float) -> dict[str, object]:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    dice = [random.Random(f"{seed} {lane}") for lane in ("load", "faults", "network")]
    async with AsyncExitStack() as all_of_it:
        stack = await asyncio.to_thread(all_of_it.enter_context, Stack(folder / "stack"))
        lab = await Lab.open(stack)
        ports = {"s3": stack.ports.s3, "sqs": stack.ports.sqs, "solapi": stack.ports.solapi}
        networks = {
            name: await all_of_it.enter_async_context(Network("127.0.0.1", port, dice[2]))
            for name, port in ports.items()
        }
        disk = all_of_it.enter_context(small_disk(folder / "disk"))
        env = FAST | {
            "R2_ENDPOINT_URL": networks["s3"].url,
            "SQS_ENDPOINT_URL": networks["sqs"].url,
            "SOLAPI_BASE_URL": networks["solapi"].url,
        }
        if disk:
            env["WORK_DIR"] = str(disk / "work")
        else:
            say("this user may not mount: the disk does not fill up")
        app = await all_of_it.enter_async_context(running(stack, *OURS, **env))
        load = Load(lab, dice[0])
        chaos = Chaos(stack, app, networks, disk, dice[1], say)
        supervisor = asyncio.create_task(chaos.supervise())
        await load.open_accounts(minutes * 60)
        await asyncio.gather(load.run(minutes * 60), chaos.run(minutes * 60))
        say("the last fault is over")
        await chaos.repair()
        await settled(lab, load, say)
        supervisor.cancel()
        found = asdict(await count(lab, load))
        chaos.fired.update({f"LOST {name}": network.fired for name, network in networks.items()})
        await lab.close()
    return {"seed": seed} | found | {"faults": dict(chaos.fired), "poison": load.poison}


async def settled(lab: Lab, load: Load, say: Callable[[str], None]) -> None:
    """Everything is final and no message is left, or the time for it is over."""
    end = time.monotonic() + HEALING
    said = -1
    while time.monotonic() < end:
        left = await open_requests(lab, load)
        waiting = sum([await asyncio.to_thread(lab.depth, name) for name in lab.settings.queue_names()])
        if not left and not waiting:
            return
        if left != said:
            said = left
            say(f"{left} of {sum(each.jobs for each in load.offered)} are open, {waiting} messages wait")
        await asyncio.sleep(2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--minutes", type=float, default=10)
    wanted = parser.parse_args()
    processes.START_SECONDS = 240
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    folder.chmod(0o711)
    try:
        result = asyncio.run(soak(folder, wanted.seed, wanted.minutes))
        bad = any(result[name] for name in ("lost", "twice", "orphans", "credits", "wrong"))
        if bad:
            kept = Path(".data") / f"soak-{wanted.seed}"
            shutil.copytree(folder / "stack" / "logs", kept, dirs_exist_ok=True)
            print(f"logs are in {kept}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, ensure_ascii=False), flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
