"""A lecture as one file: the segments of one rendition and the sounds behind one another, copied into an MP4
whose index comes first. Nothing is encoded."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ffmpeg
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.host.room import Room
from activities.host.threads import in_thread
from activities.implements import implements
from activities.video.errors import final, media_errors
from activities.video.ffmpeg import SOURCE, Tools, run_ffmpeg
from activities.video.header import ffprobe
from activities.video.languages import in_a_container
from activities.video.stored import StoredTrack, StoredVersion
from clients.database import jobs, videos
from clients.objects import ObjectMissing, Objects
from clients.vault import Vault
from contracts.activities import video
from contracts.errors import (
    DOWNLOAD_ENCRYPTED,
    DOWNLOAD_OFF,
    DOWNLOAD_TOO_LARGE,
    ENCODE_FAILED,
    VERSION_CHANGED,
    VIDEO_DELETED,
)
from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.payloads import DownloadPayload
from contracts.video import Rung, SoundTrack
from rules.fmp4 import BadSegment

READERS = 8
LARGEST = 5 * 2**30  # bytes of one PUT
TIMEOUT = 3600.0
MP4 = "video/mp4"
NAME = "lecture.mp4"  # of the result's link


class DownloadActivities:
    def __init__(
        self, *, engine: AsyncEngine, objects: Objects, vault: Vault, tools: Tools, scratch: Path, room: Room
    ) -> None:
        self._engine = engine
        self._objects = objects
        self._vault = vault
        self._tools = tools
        self._scratch = scratch
        self._room = room

    @implements(video.DOWNLOAD)
    async def make(self, job: JobRef) -> JobOutcome:
        """Make the file beside the version's renditions, unless it is there, and let it be downloaded."""
        assert job.tenant_id is not None, "a lecture is a tenant's"
        async with self._engine.connect() as connection:
            sealed = await jobs.sealed_payload(connection, job.job_id)
            assert sealed is not None, "kept until the job ends"
            asked = DownloadPayload.model_validate(self._vault.open(sealed, str(job.job_id)))
            shown = await videos.find(connection, job.tenant_id, asked.video_id)
        if shown is None or shown.deleted_at or shown.hls_prefix is None:
            raise final(VIDEO_DELETED)
        if shown.download_lines is None:
            raise final(DOWNLOAD_OFF)
        prefix = shown.hls_prefix
        with media_errors():
            try:
                version = await in_thread(StoredVersion, self._objects, self._vault, prefix)
                key = f"{prefix}{file_name(version, shown.download_lines)}"
                if await in_thread(self._objects.etag, key) is None:
                    await self._make(version, shown.download_lines, key)
            except ObjectMissing as error:
                raise final(VERSION_CHANGED) from error
            except (BadSegment, ValueError) as error:
                activity.logger.warning("no file of %s: %s", prefix, error)
                raise final(ENCODE_FAILED) from error
        async with self._engine.begin() as connection:
            given = await videos.attach_download(
                connection, job.tenant_id, asked.video_id, prefix, shown.download_lines, key
            )
        if not given:  # replaced or deleted meanwhile, and perhaps erased before we wrote
            await in_thread(self._objects.delete, key)
            raise final(VERSION_CHANGED)
        return JobOutcome(state=JobState.DONE, result={"files": {NAME: key}})

    async def _make(self, version: StoredVersion, lines: int, key: str) -> None:
        tracks = wanted(version, lines)
        sizes = [
            size
            for track in tracks
            for _, size in await in_thread(self._listed, f"{version.prefix}{track.name}/")
        ]
        if sum(sizes) > LARGEST:
            raise final(DOWNLOAD_TOO_LARGE)
        await in_thread(self._room.require, 2 * sum(sizes))
        with tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder:
            paths = [Path(folder, f"{track.name}.mp4") for track in tracks]
            for track, path in zip(tracks, paths, strict=True):
                await in_thread(join, version, track, path)
            out = Path(folder, NAME)
            await copy(self._tools, version, paths, out)
            await in_thread(self._objects.put, key, out, MP4)

    def _listed(self, prefix: str) -> list[tuple[str, int]]:
        return list(self._objects.list(prefix))


def rung_for(rungs: list[Rung], lines: int) -> Rung | None:
    """The largest one of at most so many lines, by the short side."""
    fit = [rung for rung in rungs if min(rung.width, rung.height) <= lines]
    return max(fit, key=lambda rung: min(rung.width, rung.height), default=None)


def wanted(version: StoredVersion, lines: int) -> list[StoredTrack]:
    """The picture, if there is one, and every sound once. Raises a final error where there is none to
    be given."""
    if version.encrypted:
        raise final(DOWNLOAD_ENCRYPTED)
    heard = [track for _, track in _heard(version)]
    if not version.video:
        return heard
    rung = rung_for(version.rungs, lines)
    if rung is None:
        raise final(DOWNLOAD_OFF)
    return [version.video[version.rungs.index(rung)], *heard]


def _heard(version: StoredVersion) -> list[tuple[SoundTrack, StoredTrack]]:
    """Every sound once: of one that has several rates the first."""
    found: dict[int, tuple[SoundTrack, StoredTrack]] = {}
    for said, track in zip(version.sounds, version.sound, strict=True):
        found.setdefault(said.stream, (said, track))
    return list(found.values())


def file_name(version: StoredVersion, lines: int) -> str:
    """Each rendition has a file of its own."""
    return f"download-{wanted(version, lines)[0].name}.mp4"


def join(version: StoredVersion, track: StoredTrack, path: Path) -> None:
    """A rendition as a player puts it together. Raises ObjectMissing. Blocking."""
    with path.open("wb") as file, ThreadPoolExecutor(READERS) as pool:
        file.write(track.init_bytes)
        for begun in range(0, len(track.files), READERS):
            some = range(begun, min(begun + READERS, len(track.files)))
            for data in pool.map(lambda number: version.segment(track, number), some):
                file.write(data)


async def copy(tools: Tools, version: StoredVersion, paths: list[Path], out: Path) -> None:
    """What `join` wrote of `wanted`, as one file. Raises FfmpegFailed, and BadSegment where that has other
    packets than the version."""
    files = [ffmpeg.input(f"file:{path}", **SOURCE) for path in paths]
    pictures = 1 if version.video else 0
    streams = [file["a" if number >= pictures else "v"] for number, file in enumerate(files)]
    said: list[str] = []
    for number, (each, _) in enumerate(_heard(version)):
        tags = {"language": in_a_container(each.language), "handler_name": each.label}
        for name, text in tags.items():
            said += [f"-metadata:s:a:{number}", f"{name}={text}"]
        said += [f"-disposition:a:{number}", "0" if number else "default"]
    output = ffmpeg.output(*streams, f"file:{out}", format="mp4", movflags="+faststart", c="copy")
    *options, name = output.get_args()
    # Each on the lecture's clock: by itself ffmpeg begins every file at 0.
    args = ["-copyts", *options, *said, name]
    await run_ffmpeg(tools, args, timeout=TIMEOUT, reads=paths, writes=[out.parent])
    lines: list[str] = []
    counted = ["-count_packets", "-show_entries", "stream=codec_type,nb_read_packets", "-of", "csv=p=0"]
    await ffprobe(tools, out, counted, TIMEOUT, lines.append)
    found = [line.strip().split(",") for line in lines if line.strip()]
    if len(found) != len(paths) or (version.video and found[0] != ["video", str(version.frames)]):
        raise BadSegment(f"of {version.frames} pictures and {len(paths)} tracks the file has {found}")
