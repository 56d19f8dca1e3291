"""Playlist texts (RFC 8216) from what was measured: those of ffmpeg declare some things wrongly. Pure."""

from collections.abc import Sequence
from itertools import count
from pathlib import PurePosixPath
from typing import NamedTuple

from contracts.video import SHORTEST, EncodePlan, Segment, Track
from rules.hls_keys import HlsKey, key_of

AUDIO_GROUP = "audio"
MEDIA, IFRAMES = "media.m3u8", "iframes.m3u8"


class Rate(NamedTuple):
    """Bits per second of one variant with its sound: of its largest segment, and over all."""

    peak: int
    average: int


def media_playlist(track: Track, key_id: str | None = None, key_segments: int = 0) -> str:
    """The media playlist of a rendition; it lies in the same folder as its segments. With `key_id` they
    are encrypted: the key lies one folder up, where the playback API has it and no bucket. Another follows
    after `key_segments` of them, if that is not 0."""
    lines = _head(track, "#EXT-X-INDEPENDENT-SEGMENTS")
    key = None
    for number, segment in enumerate(track.segments):
        if key_id and (this := key_of(key_id, key_segments, number)) != key:
            lines.append(_key(this))
            key = this
        lines += [f"#EXTINF:{segment.duration:.6f},", _file(segment)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


class Stretch(NamedTuple):
    """Segments behind one init segment: addresses as the playlist has them, and seconds."""

    init: str
    segments: Sequence[tuple[str, float]]


def growing_playlist(plan: EncodePlan, stretches: Sequence[Stretch]) -> str:
    """A rendition of a lecture that is still encoded: as far as it goes, without an end (RFC 8216 4.3.3.5).
    Later ones begin with the same lines. Players begin at its start, not near its end as of a broadcast."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        # It may not change, and the last segment may have a tail.
        f"#EXT-X-TARGETDURATION:{int(plan.segment_frames / plan.fps + SHORTEST + 0.5)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES",
    ]
    numbers = count()
    for place, stretch in enumerate(stretches):
        key = None
        if plan.key_id and place:
            lines.append("#EXT-X-KEY:METHOD=NONE")  # init segments are clear
        lines.append(f'#EXT-X-MAP:URI="{stretch.init}"')
        for (address, seconds), number in zip(stretch.segments, numbers, strict=False):
            if plan.key_id and (this := key_of(plan.key_id, plan.key_segments, number)) != key:
                lines.append(_key(this))
                key = this
            lines += [f"#EXTINF:{seconds:.6f},", address]
    return "\n".join([*lines, ""])


def _key(key: HlsKey) -> str:
    return f'#EXT-X-KEY:METHOD=AES-128,URI="../{key.path}"'


def iframe_playlist(track: Track) -> str | None:
    """Beside the media playlist: of each segment its first picture alone, for players that run through a
    lecture (RFC 8216 4.3.3.6). None where it is not known of each where that lies: segments of a worker of an
    earlier release, and encrypted ones."""
    lines = _head(track, "#EXT-X-I-FRAMES-ONLY")
    for segment in track.segments:
        if segment.iframe is None:
            return None
        at, length = segment.iframe
        lines += [f"#EXTINF:{segment.duration:.6f},", f"#EXT-X-BYTERANGE:{length}@{at}", _file(segment)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _head(track: Track, kind: str) -> list[str]:
    return [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        # Half up, as RFC 8216 4.3.3.1 wants every EXTINF, rounded, to be at most this.
        f"#EXT-X-TARGETDURATION:{max(1, *(int(s.duration + 0.5) for s in track.segments))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        kind,
        f'#EXT-X-MAP:URI="{_file(track.init)}"',
    ]


def master_playlist(plan: EncodePlan, video: list[Track], sounds: list[Track], base: str = "") -> str:
    """The master playlist. `base` (empty, or ending with a slash) goes before every rendition's path.

    `video` is in the order of `plan.rungs`. The first variant, where players start, is the second
    smallest: the smallest looks poor until the first switch.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if not video:
        return "\n".join([*lines, *_of_sound(plan, sounds, base), ""])
    lines += _group(plan, sounds, base)
    variants = list(zip(plan.rungs, video, rates(video, sounds), strict=True))
    variants = variants[1:2] + variants[:1] + variants[2:]
    codec = sounds[0].codec if sounds else None
    for rung, track, rate in variants:
        lines += [
            f"#EXT-X-STREAM-INF:{_rates(rate)},"
            f'CODECS="{track.codec}{f",{codec}" if codec else ""}",RESOLUTION={rung.width}x{rung.height},'
            f"FRAME-RATE={float(plan.fps):.3f}" + (f',AUDIO="{AUDIO_GROUP}"' if sounds else ""),
            f"{base}{track.name}/{MEDIA}",
        ]
    for rung, track, _ in variants:
        if pictures := _iframe_rate(track):
            lines.append(
                f'#EXT-X-I-FRAME-STREAM-INF:{_rates(pictures)},CODECS="{track.codec}",'
                f'RESOLUTION={rung.width}x{rung.height},URI="{base}{track.name}/{IFRAMES}"'
            )
    return "\n".join([*lines, ""])


def _of_sound(plan: EncodePlan, sounds: list[Track], base: str) -> list[str]:
    """Variants without a picture: by rate, or where there are several sounds one of them all."""
    several = len({track.stream for track in plan.sound_renditions}) > 1
    lines = _group(plan, sounds, base) if several else []
    for track in sounds[:1] if several else sounds:
        lines += [
            f'#EXT-X-STREAM-INF:{_rates(_rate(track))},CODECS="{track.codec}"'
            + (f',AUDIO="{AUDIO_GROUP}"' if several else ""),
            f"{base}{track.name}/{MEDIA}",
        ]
    return lines


def _group(plan: EncodePlan, sounds: list[Track], base: str) -> list[str]:
    """What a viewer may choose from. A second sound of the same language (a commentary) is nobody's choice
    but a person's."""
    planned = {rendition.name: rendition for rendition in plan.sound_renditions}
    lines, languages = [], set()
    for number, track in enumerate(sounds):
        said = planned[track.name]
        language = f'LANGUAGE="{said.language}",' if said.language != "und" else ""
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="{said.label}",{language}'
            f"DEFAULT={'NO' if number else 'YES'},AUTOSELECT={'NO' if said.language in languages else 'YES'},"
            f'CHANNELS="2",URI="{base}{track.name}/{MEDIA}"'
        )
        languages.add(said.language)
    return lines


def rates(video: list[Track], sounds: list[Track]) -> list[Rate]:
    """Measured rates of each variant, the largest of its sounds included (RFC 8216 4.3.4.2). Without a
    picture each sound is one."""
    if not video:
        return [_rate(track) for track in sounds]
    heard = [_rate(track) for track in sounds] or [Rate(0, 0)]
    sound = Rate(max(rate.peak for rate in heard), max(rate.average for rate in heard))
    return [Rate(*map(sum, zip(_rate(track), sound, strict=True))) for track in video]


def peak(segments: Sequence[tuple[int, float]]) -> int:
    """Bits per second of the largest of some segments, given by bytes and seconds. Shorter ones than half the
    longest do not count: one keyframe at the end is no rate."""
    longest = max(seconds for _, seconds in segments)
    return round(max(size * 8 / seconds for size, seconds in segments if seconds * 2 >= longest))


def _rate(track: Track) -> Rate:
    size = sum(segment.size for segment in track.segments)
    highest = peak([(segment.size, segment.duration) for segment in track.segments])
    return Rate(highest, round(size * 8 / sum(segment.duration for segment in track.segments)))


def _iframe_rate(track: Track) -> Rate | None:
    """Of a playlist of first pictures, where there is one."""
    sizes = [segment.iframe[1] for segment in track.segments if segment.iframe]
    if len(sizes) < len(track.segments):
        return None
    peak = max(size * 8 / s.duration for size, s in zip(sizes, track.segments, strict=True))
    return Rate(round(peak), round(sum(sizes) * 8 / sum(segment.duration for segment in track.segments)))


def _rates(rate: Rate) -> str:
    return f"BANDWIDTH={rate.peak},AVERAGE-BANDWIDTH={rate.average}"


def _file(segment: Segment) -> str:
    return PurePosixPath(segment.key).name
