"""The manifest of a version for DASH players (ISO/IEC 23009-1), over the segments that HLS plays. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from math import ceil
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rules.captions.writing import MEDIA, SEGMENT, WHOLE, Shown

MANIFEST = "manifest.mpd"
_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_ROLE = "urn:mpeg:dash:role:2011"
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_TEXT_RATE = 1000  # bit/s; the standard wants a number, and nobody counts these


class Run(NamedTuple):
    """Segments one behind the other that last equally long, in ticks."""

    start: int
    duration: int
    times: int


def runs(starts: Sequence[int]) -> list[Run]:
    """`starts` has the end of the last segment, too."""
    found, at = [], starts[0]
    for duration, same in groupby(end - start for start, end in pairwise(starts)):
        count = len(list(same))
        found.append(Run(at, duration, count))
        at += duration * count
    return found


@dataclass(frozen=True)
class Rendition:
    """The folder `name` of a version. `bandwidth`: bit/s of its largest segment. Sound has no `size`."""

    name: str
    codec: str
    bandwidth: int
    timescale: int
    timeline: Sequence[Run]
    size: tuple[int, int] | None = None
    frame_rate: Fraction | None = None


@dataclass(frozen=True)
class Choice:
    """Renditions among which a player changes by itself; among choices of sound a viewer does."""

    renditions: Sequence[Rendition]
    language: str = "und"
    label: str = ""


@dataclass(frozen=True)
class Manifest:
    """`video` is None of a lecture of sound; players begin with the first of `sounds`."""

    video: Choice | None
    sounds: Sequence[Choice]

    @property
    def duration(self) -> Fraction:
        """Seconds: of the picture, or of the sound alone."""
        first = (self.video or self.sounds[0]).renditions[0]
        end = first.timeline[-1]
        return Fraction(end.start + end.duration * end.times, first.timescale)

    def text(self, captions: Sequence[Shown], *, in_parts: bool) -> str:
        """`in_parts`: captions piece by piece, for whom not all of them may be seen yet; otherwise as whole
        files, which more players take."""
        choices = [*([self.video] if self.video else []), *self.sounds]
        longest = max(
            ceil(run.duration / each.timescale)
            for choice in choices
            for each in choice.renditions
            for run in each.timeline
        )
        root = Element(
            "MPD",
            xmlns=_NAMESPACE,
            profiles=_PROFILE,
            type="static",
            mediaPresentationDuration=_seconds(self.duration),
            minBufferTime=f"PT{longest}S",
        )
        period = SubElement(root, "Period", id="0", start="PT0S", duration=_seconds(self.duration))
        for number, choice in enumerate(choices):
            _choice(period, number, choice, main=choice is self.video or choice is self.sounds[0])
        for number, each in enumerate(captions, len(choices)):
            _captions(period, number, each, in_parts)
        ElementTree.indent(root)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, "unicode")}\n'


def _choice(period: Element, number: int, choice: Choice, *, main: bool) -> None:
    kind = "video" if choice.renditions[0].size else "audio"
    of_all = _set(period, number, kind, f"{kind}/mp4", choice.language)
    of_all.set("segmentAlignment", "true")
    of_all.set("startWithSAP", "1")
    if kind == "audio":
        SubElement(of_all, "AudioChannelConfiguration", schemeIdUri=_CHANNELS, value="2")
    if choice.label:
        SubElement(of_all, "Label").text = choice.label
    SubElement(of_all, "Role", schemeIdUri=_ROLE, value="main" if main else "alternate")
    for each in choice.renditions:
        one = SubElement(
            of_all, "Representation", id=each.name, codecs=each.codec, bandwidth=str(each.bandwidth)
        )
        if each.size:
            one.set("width", str(each.size[0]))
            one.set("height", str(each.size[1]))
        else:
            one.set("audioSamplingRate", str(each.timescale))
        if each.frame_rate:
            one.set("frameRate", str(each.frame_rate))
        _segments(one, each)


def _segments(one: Element, rendition: Rendition) -> None:
    template = SubElement(
        one,
        "SegmentTemplate",
        timescale=str(rendition.timescale),
        initialization=f"{rendition.name}/init.mp4",
        media=f"{rendition.name}/s$Number%05d$.m4s",
        startNumber="0",
    )
    timeline = SubElement(template, "SegmentTimeline")
    for run in rendition.timeline:
        times = SubElement(timeline, "S", t=str(run.start), d=str(run.duration))
        if run.times > 1:
            times.set("r", str(run.times - 1))


def _captions(period: Element, number: int, shown: Shown, in_parts: bool) -> None:
    of_all = _set(period, number, "text", "text/vtt", shown.language)
    SubElement(of_all, "Label").text = shown.name
    SubElement(of_all, "Role", schemeIdUri=_ROLE, value="subtitle")
    one = SubElement(of_all, "Representation", id=f"text{number}", bandwidth=str(_TEXT_RATE))
    folder = shown.uri.removesuffix(MEDIA)
    if in_parts:
        SubElement(
            one,
            "SegmentTemplate",
            timescale="1000",
            duration=str(SEGMENT),
            media=f"{folder}s$Number%05d$.vtt",
            startNumber="0",
        )
    else:
        SubElement(one, "BaseURL").text = f"{folder}{WHOLE}"


def _set(period: Element, number: int, kind: str, mime: str, language: str) -> Element:
    of_all = SubElement(period, "AdaptationSet", id=str(number), contentType=kind, mimeType=mime)
    if language != "und":
        of_all.set("lang", language)
    return of_all


def _seconds(duration: Fraction) -> str:
    return f"PT{float(duration):.6f}S"
