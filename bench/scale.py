"""One lecture on 1, 2 and 4 hosts: how much of its source they fetch together, and how much sooner it is
done.

Each host is a worker process with a folder of its own. The lecture is small in pixels and large in bytes, so
that the bytes are what is measured; how much sooner says something only with as many cores as slots.
"""

import re
import subprocess
import time
from pathlib import Path

from activities.video.ffmpeg import find_tools
from devstack.app import App
from devstack.producer import encode_body
from tests.lab import Lab

SECONDS = 1200
HOSTS = ((1, 1), (1, 2), (2, 1), (4, 1))  # worker processes, slots of each
_FETCHED = re.compile(r"fetched (\d+) bytes of a source")


async def run(lab: Lab) -> dict[str, object]:
    source = lab.stack.data_dir / "tmp" / "lecture.mp4"
    make_lecture(source)
    rows: dict[str, dict[str, float]] = {}
    alone = 0.0
    for tenant, (processes, slots) in enumerate(HOSTS, 2):
        names = [f"video-{number}" for number in range(processes)]
        with App(lab.stack, "bridge", "ops"), Hosts(lab, names, slots) as hosts:
            key = lab.producer.upload(tenant, source)
            began = time.monotonic()
            lab.send("video", encode_body(tenant, 1, key))
            await lab.ended(tenant)
            took = time.monotonic() - began
            alone = alone or took
            fetched = hosts.fetched()
        rows[f"{processes} x {slots}"] = {
            "s": round(took, 1),
            "efficiency": round(alone / took / processes / slots, 2),
            "source fetched": round(sum(fetched) / source.stat().st_size, 2),
        }
        print(f"{processes} processes of {slots} slots: {rows[f'{processes} x {slots}']}", flush=True)
    return {
        "ours": rows,
        "unit": f"{source.stat().st_size / 1e6:.0f} MB, {SECONDS} s, keyframes 2 s apart",
        "goal": {"efficiency": 0.9, "source fetched": 1.3},
    }


class Hosts(App):
    """Workers with a folder each."""

    def __init__(self, lab: Lab, names: list[str], slots: int) -> None:
        super().__init__(lab.stack)
        for name in names:
            folder = lab.stack.data_dir / "hosts" / f"{name}-{time.monotonic_ns()}"
            folder.mkdir(parents=True)
            env = {"WORK_DIR": str(folder), "ENCODE_SLOTS": str(slots)}
            self.processes[name] = lab.stack.python(name, "-m", "workers", "video", **env)

    def fetched(self) -> list[int]:
        """Bytes of the source that each worker fetched."""
        return [sum(map(int, _FETCHED.findall(each.said()))) for each in self.processes.values()]


def make_lecture(target: Path) -> None:
    """Noise, as little as x264 can do with it: about 300 kbit a second."""
    picture = f"testsrc2=s=160x90:r=25:d={SECONDS},noise=alls=20:allf=t"
    args = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=d={SECONDS}"]
    args += [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-b:v",
        "300k",
        "-g",
        "50",
        "-c:a",
        "aac",
        str(target),
    ]
    subprocess.run([find_tools().ffmpeg, "-v", "error", "-y", *args], check=True)
