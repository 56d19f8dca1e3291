"""Wall time from the producer's message to READY, against one bare ffmpeg run for the same ladder."""

import asyncio
import statistics
import subprocess
import time
from pathlib import Path

from activities.video.ffmpeg import find_tools
from activities.video.plan import make_plan
from activities.video.probe import probe
from contracts.video import EncodePlan, SourceRef
from devstack.app import running
from devstack.demo import repeat
from tests.lab import SAMPLE, Lab

TIMES = 12  # 64 seconds of 720p
ROUNDS = 3


async def run(lab: Lab) -> dict[str, object]:
    folder = lab.stack.data_dir / "tmp"
    source = folder / "lecture.mp4"
    repeat(SAMPLE, TIMES, source)
    ours, bare = [], []
    async with running(lab.stack, "bridge", "ops", "video"):
        lab.send_encode(1, 1)  # warm: every program has been read from disk
        await lab.ended(1)
        for number in range(ROUNDS):
            bare.append(await one_pass(source, folder / f"bare-{number}"))
            began = time.monotonic()
            lab.send_encode(2 + number, 1, source)
            await lab.ended(2 + number)
            ours.append(time.monotonic() - began)
            print(f"round {number + 1}: ours {ours[-1]:.1f} s, ffmpeg {bare[-1]:.1f} s", flush=True)
    fast, peer = statistics.median(ours), statistics.median(bare)
    return {
        "ours": round(fast, 2),
        "peers": {"ffmpeg one pass": round(peer, 2)},
        "ratio": round(fast / peer, 3),
        "unit": "s for 64 s of 720p, upload included in ours",
    }


async def one_pass(source: Path, out: Path) -> float:
    """What somebody types who wants this ladder from ffmpeg: one decode, all renditions, AAC, fMP4 HLS."""
    tools = find_tools()
    info = await probe(tools, source, max_seconds=3600)
    plan = make_plan(info, SourceRef(key="", etag="", size=0), prefix="", encoder="")
    out.mkdir()
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        tools.ffmpeg, *bare_args(source, plan, out), stderr=subprocess.DEVNULL
    )
    assert await process.wait() == 0
    return time.monotonic() - began


def bare_args(source: Path, plan: EncodePlan, out: Path) -> list[str]:
    count = len(plan.rungs)
    split = "".join(f"[s{i}]" for i in range(count))
    scales = ";".join(f"[s{i}]scale={r.width}:{r.height}[v{i}]" for i, r in enumerate(plan.rungs))
    args = ["-v", "error", "-nostdin", "-y", "-i", str(source)]
    args += ["-filter_complex", f"[0:v:0]split={count}{split};{scales}"]
    for i, rung in enumerate(plan.rungs):
        args += ["-map", f"[v{i}]", f"-maxrate:v:{i}", str(rung.max_bitrate)]
        args += [f"-bufsize:v:{i}", str(2 * rung.max_bitrate)]
    if plan.has_audio:
        args += ["-map", "0:a:0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"]
    args += ["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-crf", "23"]
    args += ["-g", str(plan.gop_frames), "-keyint_min", str(plan.gop_frames), "-sc_threshold", "0"]
    groups = " ".join(f"v:{i},agroup:a" for i in range(count)) + (" a:0,agroup:a" if plan.has_audio else "")
    args += ["-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    args += ["-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", str(out / "v%v/s%05d.m4s")]
    args += ["-master_pl_name", "master.m3u8", "-var_stream_map", groups, str(out / "v%v/media.m3u8")]
    return args
