"""A version of a video read back from the store alone: what a database that has lost it is told. Blocking."""

import re
from dataclasses import dataclass
from uuid import UUID

from clients.database.videos import Version
from clients.objects import ObjectMissing, Objects
from contracts.trim import MADE_OF, MadeOf
from contracts.video import hls_root

# As `rules.playlists` writes it.
_VARIANT = re.compile(
    r"#EXT-X-STREAM-INF:BANDWIDTH=(?P<bandwidth>\d+),AVERAGE-BANDWIDTH=(?P<average>\d+),"
    r'CODECS="(?P<codecs>[^",]+)[^"]*"(?:,RESOLUTION=(?P<width>\d+)x(?P<height>\d+))?.*\n'
    r"(?P<name>[^/\n]+)/media\.m3u8"
)
_SOUND = re.compile(r'#EXT-X-MEDIA:TYPE=AUDIO.*URI="(?P<name>[^/"]+)/media\.m3u8"')
_IFRAMES = re.compile(r'#EXT-X-I-FRAME-STREAM-INF:.*URI="(?P<path>[^"]+)"')
_NAMED = re.compile(r'^(?:#EXT-X-MAP:URI="(?P<init>[^"]+)"|(?P<segment>[^#\n].*))$', re.MULTILINE)
_SECONDS = re.compile(r"^#EXTINF:([0-9.]+),", re.MULTILINE)


@dataclass(frozen=True)
class Stored:
    epoch: int
    version: Version


def stored_version(objects: Objects, tenant_id: int, video_id: int, job_id: UUID) -> Stored | None:
    """The newest complete version that a job has left: all that its playlists name is there. None if there is
    no such version."""
    root = hls_root(tenant_id, video_id)
    for epoch in sorted(epochs(objects, tenant_id, video_id, job_id), reverse=True):
        version = _read(objects, root, f"{root}{job_id.hex[:12]}-{epoch}/")
        if version:
            return Stored(epoch, version)
    return None


def note_made_of(objects: Objects, prefix: str, made_of: MadeOf) -> None:
    """Before the version is shown: what a part of it, or who hears its source, has to know."""
    objects.put(prefix + MADE_OF, made_of.model_dump_json().encode(), "application/json")


def made_of(objects: Objects, prefix: str) -> MadeOf | None:
    """None of a version that a release before has made: it is an encode, and whole."""
    try:
        return MadeOf.model_validate_json(objects.get(prefix + MADE_OF))
    except ObjectMissing:
        return None


def epochs(objects: Objects, tenant_id: int, video_id: int, job_id: UUID) -> list[int]:
    """The executions of a job that have left objects."""
    start = f"{hls_root(tenant_id, video_id)}{job_id.hex[:12]}-"
    numbers = (folder.removeprefix(start).removesuffix("/") for folder in objects.folders(start))
    return [int(number) for number in numbers if number.isdecimal()]


def _read(objects: Objects, root: str, prefix: str) -> Version | None:
    stored = {key.removeprefix(prefix): size for key, size in objects.list(prefix)}
    try:
        master = objects.get(f"{prefix}master.m3u8").decode()
        variants = list(_VARIANT.finditer(master))
        names = [variant["name"] for variant in (*variants, *_SOUND.finditer(master))]
        playlists = {name: objects.get(f"{prefix}{name}/media.m3u8").decode() for name in names}
    except ObjectMissing:
        return None
    files = {
        name: [f"{name}/{each['init'] or each['segment']}" for each in _NAMED.finditer(text)]
        for name, text in playlists.items()
    }
    named = [*(file for each in files.values() for file in each), *_IFRAMES.findall(master)]
    if not variants or not all(file in stored for file in named):
        return None
    return Version(
        hls_path=f"{root}master.m3u8",
        hls_prefix=prefix,
        duration=sum(float(length) for length in _SECONDS.findall(playlists[variants[0]["name"]])),
        renditions=[
            {
                "name": variant["name"],
                "width": int(variant["width"] or 0),
                "height": int(variant["height"] or 0),
                "codecs": variant["codecs"],
                "bandwidth": int(variant["bandwidth"]),
                "average_bandwidth": int(variant["average"]),
                "segments": len(files[variant["name"]]) - 1,
                "size": sum(stored[file] for file in files[variant["name"]]),
            }
            for variant in variants
        ],
        has_pictures="poster.jpg" in stored,
    )
