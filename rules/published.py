"""What the playlists of a published version say, as `rules.playlists` writes them. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

from rules.fmp4 import BadSegment
from rules.hls_keys import HlsKey, of_playlist

_VARIANT = re.compile(r"#EXT-X-STREAM-INF:(?P<said>.*)\n(?P<name>[^/\n]+)/media\.m3u8")
_SIZE = re.compile(r"RESOLUTION=(\d+)x(\d+)")
_BANDWIDTH, _CODECS = re.compile(r"(?<!-)BANDWIDTH=(\d+)"), re.compile(r'CODECS="([^"]*)"')
_FRAMES = re.compile(r"FRAME-RATE=([0-9.]+)")
_SOUND = re.compile(r"#EXT-X-MEDIA:TYPE=AUDIO,(?P<said>.*)")
_NAME, _LANGUAGE, _PATH = (re.compile(rf'{word}="([^"]*)"') for word in ("NAME", "LANGUAGE", "URI"))
_INIT = re.compile(r'#EXT-X-MAP:URI="([^"]+)"')
_KEY = re.compile(r'#EXT-X-KEY:METHOD=AES-128,URI="\.\./(keys?-[^"]+)"')
_LENGTH = re.compile(r"#EXTINF:([0-9.]+),")


@dataclass(frozen=True)
class Variant:
    """A line of the master playlist. `bandwidth`: bit/s, with the largest sound. Sound has no `size`."""

    name: str
    codecs: Sequence[str]
    bandwidth: int
    size: tuple[int, int] | None
    frame_rate: Fraction | None


@dataclass(frozen=True)
class Sound:
    """One of the group that a viewer chooses from; `language` is `und` where it is not said."""

    name: str
    label: str
    language: str


class Entry(NamedTuple):
    """A segment of a media playlist; `key` is None in the clear."""

    file: str
    seconds: Fraction
    key: HlsKey | None


@dataclass(frozen=True)
class Listed:
    """A media playlist that has its end."""

    init: str
    entries: Sequence[Entry]

    def starts(self, begin: int, timescale: int) -> list[int]:
        """In ticks, of each segment and of what would follow the last one. Playlists have microseconds, which
        tells every tick of a track of ours."""
        lengths = (round(each.seconds * timescale) for each in self.entries)
        return list(accumulate(lengths, initial=begin))


def variants(master: str) -> list[Variant]:
    """In the order of the playlist. Raises BadSegment where it is not one of ours."""
    return [_variant(found["name"], found["said"]) for found in _VARIANT.finditer(master)]


def sounds(master: str) -> list[Sound]:
    """Those of the group, players begin with the first. Raises BadSegment."""
    return [_sound(found["said"]) for found in _SOUND.finditer(master)]


def listed(text: str) -> Listed:
    """Raises BadSegment where it has no segments, no init segment or no end."""
    init, key, seconds = "", None, None
    entries = []
    for line in text.splitlines():
        if found := _INIT.fullmatch(line):
            init = found[1]
        elif found := _KEY.fullmatch(line):
            key = of_playlist(found[1])
        elif found := _LENGTH.fullmatch(line):
            seconds = Fraction(found[1])
        elif line and not line.startswith("#") and seconds is not None:
            entries.append(Entry(line, seconds, key))
            seconds = None
    if not entries or not init or "#EXT-X-ENDLIST" not in text:
        raise BadSegment("a playlist is not finished")
    return Listed(init, entries)


def _variant(name: str, said: str) -> Variant:
    size, frames = _SIZE.search(said), _FRAMES.search(said)
    bandwidth, codecs = _BANDWIDTH.search(said), _CODECS.search(said)
    if bandwidth is None or codecs is None:
        raise BadSegment("a variant without rate or codecs")
    return Variant(
        name=name,
        codecs=codecs[1].split(","),
        bandwidth=int(bandwidth[1]),
        size=(int(size[1]), int(size[2])) if size else None,
        frame_rate=Fraction(frames[1]) if frames else None,
    )


def _sound(said: str) -> Sound:
    name, language, path = (form.search(said) for form in (_NAME, _LANGUAGE, _PATH))
    if path is None or name is None:
        raise BadSegment("a sound without a name")
    return Sound(path[1].partition("/")[0], name[1], language[1] if language else "und")
