"""A published version read back from its playlists: what it is made of, in the order in which it is played.
Blocking."""

import re
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import unquote

from activities.video.encryption import decrypt
from activities.video.fmp4 import BadSegment, Init, read_fragment, read_init
from activities.video.plan import rung_of
from clients.objects import Objects
from clients.vault import Vault
from contracts.video import Rung, SoundTrack
from rules.playlists import MEDIA

# As `rules.playlists` writes it.
_VARIANT = re.compile(r"#EXT-X-STREAM-INF:(?P<said>.*)\n(?P<name>[^/\n]+)/media\.m3u8")
_SIZE = re.compile(r"RESOLUTION=(\d+)x(\d+)")
_SOUND = re.compile(r"#EXT-X-MEDIA:TYPE=AUDIO,(?P<said>.*)")
_NAME, _LANGUAGE, _PATH = (re.compile(rf'{word}="([^"]*)"') for word in ("NAME", "LANGUAGE", "URI"))
_ENTRY = re.compile(r"^#EXTINF:([0-9.]+),\n([^#\n]+)$", re.MULTILINE)
_INIT = re.compile(r'^#EXT-X-MAP:URI="([^"]+)"$', re.MULTILINE)
_KEY = re.compile(r'^#EXT-X-KEY:METHOD=AES-128,URI="\.\./key-([^"]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class StoredTrack:
    """`starts`: of each segment and of what would follow the last one, in ticks of `init`. `step`: ticks of a
    frame."""

    name: str
    init: Init
    init_bytes: bytes
    files: list[str]
    starts: list[int]
    step: int


class StoredVersion:
    """`video` in the order of `rungs`, `sound` in that of `sounds`, the first is what players begin with."""

    def __init__(self, objects: Objects, vault: Vault, prefix: str) -> None:
        """Raises ObjectMissing, BadSegment where it is not whole or not as we write it."""
        self.prefix = prefix
        self._objects = objects
        self._key: bytes | None = None
        self._vault = vault
        master = objects.get(f"{prefix}master.m3u8").decode()
        variants = [(found["name"], _SIZE.search(found["said"])) for found in _VARIANT.finditer(master)]
        said = [found["said"] for found in _SOUND.finditer(master)]
        grouped = [_sound(text, number) for number, text in enumerate(said)]
        alone = [
            SoundTrack(name=name, stream=0) for name, size in variants if not size and not grouped
        ]  # of one sound several rates
        self.sounds: list[SoundTrack] = grouped or alone
        sizes = [(name, size) for name, size in variants if size]
        rungs = sorted((rung_of(int(size[1]), int(size[2])) for _, size in sizes), key=lambda r: r.height)
        if {rung.name for rung in rungs} != {name for name, _ in sizes}:
            raise BadSegment("renditions are not called after their size")
        self.rungs: list[Rung] = rungs
        self.video = [self._track(rung.name) for rung in self.rungs]
        self.sound = [self._track(each.name) for each in self.sounds]
        if not self.video and not self.sound:
            raise BadSegment("a version of nothing")

    @property
    def encrypted(self) -> bool:
        return self._key is not None

    @property
    def fps(self) -> Fraction:
        """Frames a second: of the picture, or of sound alone those of AAC."""
        track = (self.video or self.sound)[0]
        return Fraction(track.init.timescale, track.step)

    @property
    def frames(self) -> int:
        track = (self.video or self.sound)[0]
        return (track.starts[-1] - track.starts[0]) // track.step

    def segment(self, track: StoredTrack, number: int) -> bytes:
        """A segment in the clear. Raises ObjectMissing."""
        data = self._objects.get(f"{self.prefix}{track.name}/{track.files[number]}")
        return decrypt(data, self._key, number) if self._key else data

    def _track(self, name: str) -> StoredTrack:
        text = self._objects.get(f"{self.prefix}{name}/{MEDIA}").decode()
        entries, init_file = _ENTRY.findall(text), _INIT.search(text)
        if not entries or init_file is None or "#EXT-X-ENDLIST" not in text:
            raise BadSegment(f"the playlist of {name} is not finished")
        if key := _KEY.search(text):
            self._key = self._vault.hls_key(unquote(key[1]), self.prefix)
        data = self._objects.get(f"{self.prefix}{name}/{init_file[1]}")
        init = read_init(data)
        found = StoredTrack(name, init, data, [file for _, file in entries], [], 0)
        first = read_fragment(self.segment(found, 0), init)
        step = first.step or first.duration // first.samples
        starts = [first.start]
        for length, _ in entries:
            starts.append(starts[-1] + round(Fraction(length) * init.timescale))
        return StoredTrack(name, init, data, found.files, starts, step)


def _sound(said: str, number: int) -> SoundTrack:
    name, language, path = (form.search(said) for form in (_NAME, _LANGUAGE, _PATH))
    if path is None or name is None:
        raise BadSegment("a sound without a name")
    return SoundTrack(
        name=path[1].partition("/")[0],
        stream=number,
        language=language[1] if language else "und",
        label=name[1],
    )
