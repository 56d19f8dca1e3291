"""The fair peer of `bench/encode.py`: what a plain script does for the same lecture, with no job around it.

Fetches the source, levels the sound in two passes (loudnorm), encodes all renditions in one pass, draws
poster and storyboard from keyframes beside it, and uploads everything, eight files at a time. Arguments: the
source's key, a folder, the plan as JSON. The bucket is that of the environment.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from activities.video.ffmpeg import find_tools
from activities.video.pictures import layout, tile_size
from activities.video.sound_passes import PEAK, TARGET
from bench.encode import bare_args
from clients.objects import Objects
from clients.settings import Settings
from clients.settings_sources import Process, read
from contracts.video import EncodePlan

FFMPEG = find_tools().ffmpeg
TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".jpg": "image/jpeg"}


def ffmpeg(*args: str) -> str:
    done = subprocess.run([FFMPEG, "-nostdin", "-y", *args], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return done.stderr


def loudness(source: Path) -> str:
    """The filter of the second pass."""
    target = f"loudnorm=I={TARGET}:TP={PEAK}:LRA=11"
    said = ffmpeg("-i", str(source), "-vn", "-af", f"{target}:print_format=json", "-f", "null", "-")
    found = json.loads(re.findall(r"\{[^{}]*\}", said)[-1])
    measured = (("I", "i"), ("TP", "tp"), ("LRA", "lra"), ("thresh", "thresh"))
    told = ":".join(f"measured_{name}={found[f'input_{key}']}" for name, key in measured)
    return f"{target}:{told}:offset={found['target_offset']}:linear=true"


def pictures(source: Path, plan: EncodePlan, out: Path) -> None:
    interval, tiles = layout(plan.duration)
    width, height = tile_size(plan)
    graph = f"fps=1/{interval},scale={width}:{height},tile=10x10"
    ffmpeg(
        *("-v", "error", "-skip_frame", "nokey", "-i", str(source), "-an", "-vf", graph, "-q:v", "5"),
        str(out / "storyboard-%02d.jpg"),
    )
    at = str(int(tiles / 10) * interval)
    ffmpeg("-v", "error", "-ss", at, "-i", str(source), "-an", "-frames:v", "1", str(out / "poster.jpg"))


def main() -> None:
    key, out, plan = sys.argv[1], Path(sys.argv[2]), EncodePlan.model_validate_json(sys.argv[3])
    out.mkdir()
    objects = Objects(read(Settings, Process.OPERATOR, os.environ))
    source = out / "source.mp4"
    objects.download(objects.head(key), source)
    with ThreadPoolExecutor(8) as pool:
        drawn = pool.submit(pictures, source, plan, out)
        ffmpeg(*bare_args(source, plan, out, loudness(source) if plan.has_audio else None))
        drawn.result()
        source.unlink()

        def put(path: Path) -> None:
            name = f"tenants/0/plain/{out.name}/{path.relative_to(out)}"
            objects.put(name, path, TYPES.get(path.suffix, "video/mp4"))

        list(pool.map(put, [path for path in out.rglob("*") if path.is_file()]))


if __name__ == "__main__":
    main()
