"""A published version read back from its playlists: what it is made of, in the order in which it is played.
Blocking."""

from dataclasses import dataclass, replace
from fractions import Fraction

from activities.video.encryption import decrypt
from activities.video.plan import rung_of
from clients.objects import Objects
from clients.vault import Vault
from contracts.video import Rung, SoundTrack
from rules.fmp4 import BadSegment, Init, read_fragment, read_init
from rules.hls_keys import HlsKey
from rules.playlists import MEDIA
from rules.published import listed, sounds, variants


@dataclass(frozen=True)
class StoredTrack:
    """`starts`: of each segment and of what would follow the last one, in ticks of `init`. `step`: ticks of a
    frame."""

    name: str
    init: Init
    init_bytes: bytes
    files: list[str]
    keys: list[HlsKey | None]
    starts: list[int]
    step: int


class StoredVersion:
    """`video` in the order of `rungs`, `sound` in that of `sounds`, the first is what players begin with."""

    def __init__(self, objects: Objects, vault: Vault, prefix: str) -> None:
        """Raises ObjectMissing, BadSegment where it is not whole or not as we write it."""
        self.prefix = prefix
        self._objects = objects
        self._vault = vault
        master = objects.get(f"{prefix}master.m3u8").decode()
        named = variants(master)
        grouped = [
            SoundTrack(name=each.name, stream=number, language=each.language, label=each.label)
            for number, each in enumerate(sounds(master))
        ]
        alone = [
            SoundTrack(name=each.name, stream=0) for each in named if not each.size and not grouped
        ]  # of one sound several rates
        self.sounds: list[SoundTrack] = grouped or alone
        sized = {each.name: rung_of(*each.size) for each in named if each.size}
        if any(rung.name != name for name, rung in sized.items()):
            raise BadSegment("renditions are not called after their size")
        self.rungs: list[Rung] = sorted(sized.values(), key=lambda rung: rung.height)
        self.video = [self._track(rung.name) for rung in self.rungs]
        self.sound = [self._track(each.name) for each in self.sounds]
        if not self.video and not self.sound:
            raise BadSegment("a version of nothing")

    @property
    def encrypted(self) -> bool:
        return any(key for track in (*self.video, *self.sound) for key in track.keys)

    @property
    def key_segments(self) -> int:
        """After so many its key changes, 0 where it does not."""
        firsts = [key.first for track in (*self.video, *self.sound) for key in track.keys if key]
        rotated = [first for first in firsts if first is not None]
        return min((first for first in rotated if first), default=len(rotated))

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
        key = track.keys[number]
        return decrypt(data, self._vault.hls_key(key.id, self.prefix, key.first), number) if key else data

    def _track(self, name: str) -> StoredTrack:
        playlist = listed(self._objects.get(f"{self.prefix}{name}/{MEDIA}").decode())
        data = self._objects.get(f"{self.prefix}{name}/{playlist.init}")
        init = read_init(data)
        files = [each.file for each in playlist.entries]
        keys = [each.key for each in playlist.entries]
        found = StoredTrack(name, init, data, files, keys, [], 0)
        first = read_fragment(self.segment(found, 0), init)
        step = first.step or first.duration // first.samples
        return replace(found, starts=playlist.starts(first.start, init.timescale), step=step)
