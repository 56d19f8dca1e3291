"""DASH manifests of published versions, made of their HLS playlists when somebody asks. No object is written
for them, so what was published before there were any has one, too."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

from api.cache import Fresh
from clients.objects import Objects
from rules.dash import Choice, Manifest, Rendition, runs
from rules.fmp4 import BadSegment, Init, read_fragment, read_init
from rules.playlists import MEDIA, peak
from rules.published import Listed, Variant, listed, sounds, variants

KEPT = 600.0  # seconds; a version never changes
READERS = 8


class EncryptedLecture(Exception):
    """Its segments are encrypted whole, which HLS knows and DASH does not."""


class DashManifests:
    """Those of this process, by the prefix of their version."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._fresh: Fresh[str, Manifest] = Fresh(self._read, KEPT)

    async def of(self, prefix: str) -> Manifest:
        """Raises EncryptedLecture, ObjectMissing, BadSegment where it is not as we publish."""
        found = await self._fresh.get(prefix)
        assert found is not None, "`read` returns or raises"
        return found

    async def _read(self, prefix: str) -> Manifest | None:
        return await asyncio.to_thread(read, self._objects, prefix)


def read(objects: Objects, prefix: str) -> Manifest:
    """Raises EncryptedLecture, ObjectMissing, BadSegment. Blocking."""
    master = objects.get(f"{prefix}master.m3u8").decode()
    named, grouped = variants(master), sounds(master)
    pictures = [each for each in named if each.size]
    alone = [] if grouped else [each for each in named if not each.size]
    if not named:
        raise BadSegment("a version of nothing")
    with ThreadPoolExecutor(READERS) as pool:
        heard = list(pool.map(lambda each: _sound(objects, prefix, each.name), grouped or alone))
        loudest = max((each.bandwidth for each in heard), default=0)
        seen = list(pool.map(lambda each: _picture(objects, prefix, each, loudest), pictures))
    if grouped:
        choices = [Choice([one], said.language, said.label) for one, said in zip(heard, grouped, strict=True)]
    else:
        choices = [Choice(heard)] if heard else []
    smallest_first = sorted(seen, key=lambda each: each.bandwidth)
    return Manifest(Choice(smallest_first) if seen else None, choices)


def _picture(objects: Objects, prefix: str, variant: Variant, sound: int) -> Rendition:
    """Every encode and every trim begins it at 0."""
    init, playlist = _track(objects, prefix, variant.name)
    rate = variant.frame_rate
    return Rendition(
        name=variant.name,
        codec=init.codec,
        bandwidth=variant.bandwidth - sound,
        timescale=init.timescale,
        timeline=runs(playlist.starts(0, init.timescale)),
        size=variant.size,
        # Playlists round it; a frame is a whole number of ticks.
        frame_rate=Fraction(init.timescale, round(init.timescale / rate)) if rate else None,
    )


def _sound(objects: Objects, prefix: str, name: str) -> Rendition:
    """A trim may leave it a part of a frame behind 0."""
    init, playlist = _track(objects, prefix, name)
    folder = f"{prefix}{name}/"
    begin = read_fragment(objects.get(folder + playlist.entries[0].file), init).start
    sizes = dict(objects.list(folder))
    highest = peak([(sizes.get(folder + each.file, 0), float(each.seconds)) for each in playlist.entries])
    timeline = runs(playlist.starts(begin, init.timescale))
    return Rendition(name, init.codec, highest, init.timescale, timeline)


def _track(objects: Objects, prefix: str, name: str) -> tuple[Init, Listed]:
    playlist = listed(objects.get(f"{prefix}{name}/{MEDIA}").decode())
    if any(each.key for each in playlist.entries):
        raise EncryptedLecture
    return read_init(objects.get(f"{prefix}{name}/{playlist.init}")), playlist
