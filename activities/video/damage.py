"""What a damaged source did not give: heard while it is decoded, then looked up packet by packet.

A healthy source costs nothing: ffmpeg counts its errors anyway, and only where it counted one is that stretch
decoded again by ffprobe, which tells frame by frame what came of each packet. Time alone proves nothing: a
slide may stand for minutes, and a recorder may pause.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from activities.video.errors import final
from activities.video.ffmpeg import Tools
from activities.video.probe import SourceInfo, read_stream, start_of
from contracts.errors import DECODE_FAILED
from contracts.video import Damage, DamageKind, EncodePlan

BEARABLE = 1.0  # seconds in all of a lecture that nobody need look at
MAX_PLACES = 100  # that are told
TOO_LITTLE = 0.5  # of the lecture: when no more of its picture is left, there is nothing to publish
_NEAR = 2.0  # seconds between a corrupt packet and the gap that it borders
_JOINED = 0.5  # seconds between two stretches that are told as one
_AUDIBLE = 0.1  # seconds; decoders keep a little back where a stream begins
_REORDER = 64  # packets: no decoder keeps more of them back
_TROUBLE = re.compile(r"corrupt decoded frame|[1-9]\d* decode errors|\[(?:error|fatal)\]")
_LOG = re.compile(r"context=([^|]*)\|level=(\d+)\|message=(.*)")


class Ear:
    """Listens to a run of ffmpeg whose log level is `LEVEL`. Healthy sources may trouble it, too (a seek into
    an open group): it says where to look."""

    LEVEL = "level+verbose"

    def __init__(self) -> None:
        self.troubled = False

    def hear(self, line: str) -> None:
        self.troubled = self.troubled or bool(_TROUBLE.search(line))


def container_damage(info: SourceInfo, original: SourceInfo) -> list[Damage]:
    """What the file lacks already before it is decoded, on the container's clock. `original` is the file
    that was uploaded, `info` what is decoded: the same, or its remux.

    A stretch without packets is damage where a packet beside it came broken, or where the demuxer lost its
    way and no other stream has packets there either. An MP4 has an index: what it lacks fails to decode.
    """
    found = []
    if original.missing_end > 0:
        end = max(info.video_end, info.audio_end)
        found.append(Damage(what=DamageKind.END_MISSING, start=end, end=end + original.missing_end))
    if original.container == "mov":
        return found
    picture, sound = info.video_gaps, info.audio_gaps
    if original.needs_remux:  # its sound is decoded: what was packets and is none gave nothing
        found += [
            Damage(what=DamageKind.SOUND_MISSING, start=start, end=end)
            for start, end in sound
            if not _overlapped(start, end, original.audio_gaps)
        ]
    for missing, gaps, others, came_as, broken in (
        (DamageKind.PICTURE_MISSING, picture, sound, DamageKind.PICTURE_BROKEN, original.video_broken),
        (DamageKind.SOUND_MISSING, sound, picture, DamageKind.SOUND_MISSING, original.audio_broken),
    ):
        found += [Damage(what=came_as, start=since, end=until) for since, until in broken]
        for start, end in gaps:
            beside = any(min(abs(since - start), abs(since - end)) < _NEAR for since, _ in broken)
            alone = info.audio_stream is None or info.video_stream is None
            everywhere = alone or _overlapped(start, end, others)
            if beside or (original.lost_its_way and everywhere):
                found.append(Damage(what=missing, start=start, end=end))
    return found


def _overlapped(start: float, end: float, others: Iterable[tuple[float, float]]) -> bool:
    return any(min(end, until) - max(start, since) > (end - start) / 2 for since, until in others)


async def picture_damage(
    tools: Tools, source: Path, plan: EncodePlan, unit: int, *, timeout: float
) -> list[Damage]:
    """Where the picture of unit `unit` stands still or is broken. Decodes it once more, as the unit did."""
    first = unit * plan.unit_frames
    start, end = first / plan.fps, min(first + plan.unit_frames, plan.total_frames) / plan.fps
    zero = await start_of(tools, source, timeout) + plan.origin
    scan = _PictureScan()
    await read_stream(
        tools,
        source,
        plan.video_stream,
        [
            *("-threads", "1", "-show_log", "32"),
            *(
                "-read_intervals",
                f"{max(0.0, zero + float(start) - plan.preroll):.6f}%{zero + float(end):.6f}",
            ),
        ],
        "packet=pts_time,dts_time,flags:frame=key_frame,best_effort_timestamp_time:log=context,level,message",
        timeout,
        scan.read,
    )
    return clipped(scan.finish(zero + float(end)), zero, float(start), float(end))


async def sound_damage(tools: Tools, source: Path, plan: EncodePlan, *, timeout: float) -> list[Damage]:
    """Where packets of sound gave none. Decodes the sound once more."""
    zero = await start_of(tools, source, timeout) + plan.origin
    scan = _SoundScan()
    entries = "packet=pts_time,duration_time,flags:frame=pts_time"
    await read_stream(tools, source, plan.audio_stream, [], entries, timeout, scan.read)
    return clipped(scan.finish(), zero, 0.0, plan.duration)


def clipped(found: Iterable[Damage], zero: float, start: float, end: float) -> list[Damage]:
    """From a clock where the lecture begins at `zero` to its own, as far as it lies in `start` to `end`."""
    moved = (Damage(what=d.what, start=max(start, d.start - zero), end=min(end, d.end - zero)) for d in found)
    return merged(damage for damage in moved if damage.end > damage.start)


def merged(found: Iterable[Damage]) -> list[Damage]:
    """Sorted by time; stretches of a kind that nearly touch are one."""
    last: dict[DamageKind, Damage] = {}
    whole: list[Damage] = []
    for damage in sorted(found, key=lambda each: each.start):
        before = last.get(damage.what)
        if before and damage.start - before.end <= _JOINED:
            whole.remove(before)
            damage = before.model_copy(update={"end": max(before.end, damage.end)})
        last[damage.what] = damage
        whole.append(damage)
    return sorted(whole, key=lambda each: (each.start, each.what))


def seconds(found: Iterable[Damage], *kinds: DamageKind) -> float:
    """How long the stretches of `kinds` last together; what overlaps counts once."""
    total, until = 0.0, 0.0
    for damage in sorted((each for each in found if each.what in kinds), key=lambda each: each.start):
        total += max(0.0, damage.end - max(until, damage.start))
        until = max(until, damage.end)
    return total


def worth_a_look(found: Iterable[Damage], duration: float, *, picture: bool = True) -> list[Damage]:
    """What a person should look at in a lecture of `duration` seconds: nothing when it is bearable, the
    longest `MAX_PLACES` when it is not. Raises a final DECODE_FAILED when too little is left of its picture,
    or of the sound of one that has no `picture`."""
    places = merged(found)
    needed = (
        (DamageKind.PICTURE_MISSING, DamageKind.PICTURE_BROKEN) if picture else (DamageKind.SOUND_MISSING,)
    )
    if seconds(places, *needed) > duration * TOO_LITTLE:
        raise final(DECODE_FAILED)
    if seconds(places, *DamageKind) <= BEARABLE:
        return []
    longest = sorted(places, key=lambda each: each.start - each.end)[:MAX_PLACES]
    return sorted(longest, key=lambda each: (each.start, each.what))


class _PictureScan:
    """Reads ffprobe's packets, frames and what the decoder said, in the order of decoding.

    A packet that gave no frame leaves the picture standing. A frame with errors is broken, and so is what
    is predicted from it: all until the next keyframe. Decoders without repair give no frame instead.
    """

    def __init__(self) -> None:
        self._waiting: list[float] = []
        self._found: list[Damage] = []
        self._frame: float | None = None
        self._broken_since: float | None = None

    def read(self, line: str) -> None:
        if line.startswith("packet|"):
            fields = _fields(line)
            time = _time(fields.get("pts_time", "N/A"))
            if time is None:
                time = _time(fields.get("dts_time"))
            if time is not None and "D" not in fields.get("flags", ""):
                self._waiting.append(time)
        elif line.startswith("frame|"):
            self._shown(_fields(line))
        if (said := _LOG.search(line)) and self._frame is not None and _broke(*said.groups()):
            self._broken_since = self._frame if self._broken_since is None else self._broken_since

    def finish(self, end: float) -> list[Damage]:
        """`end`: of the stretch that was read."""
        self._missing(end)
        self._mended(end)
        return self._found

    def _shown(self, fields: dict[str, str]) -> None:
        time = _time(fields.get("best_effort_timestamp_time"))
        if time is None:
            return
        self._missing(time)
        if fields.get("key_frame") == "1":
            self._mended(time)
        self._frame = time

    def _missing(self, until: float) -> None:
        """Frames come in the order of time: what should have come before this one never will."""
        late = [time for time in self._waiting if time < until - 0.0005]
        self._waiting = [time for time in self._waiting if time > until + 0.0005]
        if late:
            self._mended(min(late))
            self._found.append(Damage(what=DamageKind.PICTURE_MISSING, start=min(late), end=until))
            self._broken_since = until  # what is predicted from the missing ones

    def _mended(self, time: float) -> None:
        if self._broken_since is not None and time > self._broken_since:
            self._found.append(Damage(what=DamageKind.PICTURE_BROKEN, start=self._broken_since, end=time))
        self._broken_since = None


class _SoundScan:
    """Reads ffprobe's packets and frames: a packet that gave no frame is a stretch without sound."""

    def __init__(self) -> None:
        self._waiting: dict[float, float] = {}
        self._found: list[Damage] = []

    def read(self, line: str) -> None:
        fields = _fields(line)
        time = _time(fields.get("pts_time"))
        if time is None:
            return
        if line.startswith("packet|") and "D" not in fields.get("flags", ""):
            self._waiting[time] = _time(fields.get("duration_time")) or 0.0
            while len(self._waiting) > _REORDER:
                self._lost()
        elif line.startswith("frame|"):
            self._waiting.pop(time, None)

    def finish(self) -> list[Damage]:
        while self._waiting:
            self._lost()
        return [each for each in self._found if each.end - each.start > _AUDIBLE]

    def _lost(self) -> None:
        start = min(self._waiting)
        end = start + self._waiting.pop(start)
        last = self._found[-1] if self._found else None
        if last and start - last.end < _JOINED:
            self._found[-1] = last.model_copy(update={"end": end})
        else:
            self._found.append(Damage(what=DamageKind.SOUND_MISSING, start=start, end=end))


def _broke(decoder: str, level: str, message: str) -> bool:
    """Whether the frame that this was said of is not what was filmed. H.264 calls much an error that is none
    (references that a cut took away); what it guessed it says by itself."""
    return "concealing" in message or (decoder != "h264" and int(level) <= 16)


def _fields(line: str) -> dict[str, str]:
    return dict(field.split("=", 1) for field in line.split("|") if "=" in field)


def _time(text: str | None) -> float | None:
    return None if text in (None, "N/A") else float(text)
