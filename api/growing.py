"""A lecture that is watched while it is encoded: playlists of what workers have finished so far.

They are made of the names of manifests in the store, where each says that segments are whole and stored. No
object is written for them, so none is left behind when the encode fails, is cancelled or is published.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from pydantic import ValidationError

from api.cache import Fresh
from clients.database.viewing import View
from clients.objects import ObjectMissing, Objects
from contracts.video import (
    PLAN,
    SOUND,
    SOUND_OPENINGS,
    WORK,
    EncodePlan,
    Segment,
    SegmentManifest,
    Track,
    ahead_key,
    opening_key,
    unit_key,
)
from rules.playlists import Stretch, growing_playlist, master_playlist

SECONDS = 2.0  # how old an answer may be: the store is asked no oftener of a lecture, however many watch it
KNOWN = 16  # lectures of which more is remembered than for so long: what never changes


@dataclass(frozen=True)
class Growing:
    """What there is of a version. `video`: its renditions, with the segments of the beginning. There are
    `units` whole units, and `ahead` segments of the one behind them. `opening`: the longest of
    `openings`, sound for until `sounds` are there."""

    plan: EncodePlan
    video: Sequence[Track] = ()
    units: int = 0
    ahead: int = 0
    openings: int = 0
    opening: Track | None = None
    sounds: Sequence[Track] = ()
    _texts: dict[str, str] = field(default_factory=dict, init=False, compare=False)

    @property
    def can_be_watched(self) -> bool:
        """Whether picture and sound have begun."""
        return bool(self.video) and (not self.plan.has_audio or bool(self._heard))

    @property
    def _heard(self) -> Sequence[Track]:
        return self.sounds or ([self.opening] if self.opening else [])

    def master(self) -> str:
        """With the rates of what there is."""
        return master_playlist(self.plan, list(self.video), list(self._heard))

    def media(self, name: str) -> str | None:
        """The media playlist of a rendition, made once for all who ask; None if there is no such one yet."""
        text = self._texts.get(name) or self._media(name)
        if text:
            self._texts[name] = text
        return text

    def _media(self, name: str) -> str | None:
        if any(rung.name == name for rung in self.plan.rungs):
            stretches = [Stretch("init.mp4", self._pictures())]
        elif any(track.name == name for track in self._heard):
            stretches = self._sound(name)
        else:
            return None
        return growing_playlist(self.plan, stretches)

    def _pictures(self) -> list[tuple[str, float]]:
        frames = [each for unit in range(self.units) for each in self.plan.segments(unit)]
        if self.ahead:
            frames += self.plan.segments(self.units)[: self.ahead]
        return [
            (f"s{number:05d}.m4s", float(len(each) / self.plan.fps)) for number, each in enumerate(frames)
        ]

    def _sound(self, name: str) -> list[Stretch]:
        """Of the first sound the opening's segments stay in their places when the whole is there: what a
        player was told does not change."""
        stretches, begun = [], 0
        if self.opening and self.opening.name == name:
            folder = f"../{WORK}{name}/"
            stretches.append(Stretch(f"{folder}init.mp4", _listed(self.opening.segments, folder)))
            begun = len(self.opening.segments)
        for track in self.sounds:
            if track.name == name:
                stretches.append(Stretch("init.mp4", _listed(track.segments[begun:])))
        return stretches


def _listed(segments: Sequence[Segment], folder: str = "") -> list[tuple[str, float]]:
    return [(folder + each.key.rpartition("/")[2], each.duration) for each in segments]


class GrowingLectures:
    """Those of this process, by the prefix of their version."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, Growing] = {}
        self._fresh: Fresh[str, Growing] = Fresh(self._look, SECONDS)

    async def of(self, viewer: View) -> Growing | None:
        """None where there is nothing to watch yet, or no more: the version is published, or was erased."""
        if not viewer.growing or viewer.hls_prefix is None:
            return None
        return await self._fresh.get(viewer.hls_prefix)

    async def can_begin(self, viewer: View) -> bool:
        """Whether somebody who may watch has something to see, be it all or some."""
        if viewer.decision.refusal:
            return False
        return not viewer.growing or await self.of(viewer) is not None

    async def _look(self, prefix: str) -> Growing | None:
        known = self._known.pop(prefix, None)
        found = await asyncio.to_thread(read, self._objects, prefix, known)
        if found is None:
            return None
        self._known[prefix] = found
        for oldest in list(self._known)[:-KNOWN]:
            del self._known[oldest]
        return found if found.can_be_watched else None


def read(objects: Objects, prefix: str, known: Growing | None = None) -> Growing | None:
    """What the store has of a version that is being encoded, and what of it was `known`. None where it has no
    plan. Blocking."""
    names = {key for key, _ in objects.list(prefix + WORK)}
    try:
        if known is None:
            if prefix + PLAN not in names:
                return None
            known = Growing(EncodePlan.model_validate_json(objects.get(prefix + PLAN)))
        elif prefix + PLAN not in names:
            return None
        return _grown(objects, prefix, names, known)
    except (ObjectMissing, ValidationError):  # erased meanwhile; written by a later release
        return None


def _grown(objects: Objects, prefix: str, names: set[str], known: Growing) -> Growing:
    plan = known.plan
    units = next(unit for unit in count(known.units) if unit_key(prefix, unit) not in names)
    ahead = known.ahead if units == known.units else 0
    if units < plan.unit_count:
        told = [n for n in range(1, len(plan.segments(units))) if ahead_key(prefix, units, n) in names]
        ahead = max([ahead, *told])
    video, opening, sounds = known.video, known.opening, known.sounds
    if not video and (units or ahead):
        video = _tracks(objects, unit_key(prefix, 0) if units else ahead_key(prefix, 0, ahead))
    there = [key for seconds in SOUND_OPENINGS if (key := opening_key(prefix, seconds)) in names]
    if len(there) > known.openings:
        (sound,) = _tracks(objects, there[-1])
        opening = sound.model_copy(update={"name": sound.name.removeprefix(WORK)})
    if not sounds and prefix + SOUND in names:
        sounds = _tracks(objects, prefix + SOUND)
    return replace(
        known,
        units=units,
        ahead=ahead,
        video=video,
        openings=len(there),
        opening=opening,
        sounds=sounds,
    )


def _tracks(objects: Objects, key: str) -> list[Track]:
    """Without places of pictures: a growing lecture has no playlists of those."""
    tracks = SegmentManifest.model_validate_json(objects.get(key)).tracks
    return [
        track.model_copy(
            update={"segments": [each.model_copy(update={"iframe": None}) for each in track.segments]}
        )
        for track in tracks
    ]
