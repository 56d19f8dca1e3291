"""A lecture of an academy that has a watermark, from the worker to a trim of it."""

import asyncio
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from clients.objects import Objects
from contracts.trim import version_name
from contracts.video import MARKS
from devstack.app import App
from devstack.stack import Stack
from tests.integration.test_trim import trimmed
from tests.unit import media
from tests.viewing.classroom import Classroom
from tests.viewing.test_encrypted import encoded

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow]


def corner(objects: Objects, prefix: str, folder: Path) -> list[float]:
    """How bright the upper left eighth of each frame of the smallest rendition is at its brightest."""
    names = sorted(key for key, _ in objects.list(f"{prefix}360p/") if key.endswith(".m4s"))
    data = b"".join(objects.get(key) for key in (f"{prefix}360p/init.mp4", *names))
    (folder / "one.mp4").write_bytes(data)
    media.ffmpeg(
        f"-i {folder}/one.mp4 -fps_mode passthrough -f rawvideo -pix_fmt gray", str(folder / "one.raw")
    )
    frames = np.fromfile(folder / "one.raw", np.uint8).reshape(-1, 360, 640)
    return [float(each.max()) for each in frames[:, :90, :160]]


async def test_every_frame_is_marked_before_and_after_a_trim(
    app: App, stack: Stack, room: Classroom, tmp_path: Path
) -> None:
    source, lab = tmp_path / "lecture.mp4", room.lab
    room = await Classroom.open(lab, room.http)
    black = "-v error -f lavfi -i color=black:s=640x360:r=10:d=9 -preset ultrafast -g 50"
    subprocess.run([lab.settings.ffmpeg_binary, *black.split(), source], check=True)
    marks = json.dumps({str(room.tenant): {"text": "가온 학원", "place": "top-left", "height": 0.1}})
    await asyncio.to_thread(app.processes["video"].stop, 30)
    try:
        with App(stack, "video-2", WATERMARKS=marks):
            lecture = await encoded(room, source)
        with App(stack, "video-2"):  # whatever is wanted by now
            whole = lecture.row.hls_prefix
            bright = await asyncio.to_thread(corner, lab.objects, whole, tmp_path)
            assert len(bright) == 90 and min(bright) > 100
            room.video = lecture.video
            job = await trimmed(lab, room, version=version_name(whole), start=1.3, end=7.7)
    finally:
        await asyncio.to_thread(app.restart, "video")
    assert (job.state, job.error_code) == ("DONE", None)
    part = (await lab.video(room.tenant, lecture.video)).hls_prefix
    bright = await asyncio.to_thread(corner, lab.objects, part, tmp_path)
    assert part != whole and len(bright) == 64 and min(bright) > 100
    assert len(lab.keys(part + MARKS)) == len(lab.keys(whole + MARKS)) == 3
