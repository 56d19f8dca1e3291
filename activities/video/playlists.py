"""Playlist texts (RFC 8216) from what was measured: those of ffmpeg declare some things wrongly. Pure."""

from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from contracts.video import EncodePlan, Segment, Track

AUDIO_GROUP = "audio"


class Rate(NamedTuple):
    """Bits per second of one variant with its sound: of its largest segment, and over all."""

    peak: int
    average: int


def media_playlist(track: Track, key_id: str | None = None) -> str:
    """The media playlist of a rendition; it lies in the same folder as its segments. With `key_id` they
    are encrypted: the key lies one folder up, where the playback API has it and no bucket."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        # Half up, as RFC 8216 4.3.3.1 wants every EXTINF, rounded, to be at most this.
        f"#EXT-X-TARGETDURATION:{max(1, *(int(s.duration + 0.5) for s in track.segments))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{_file(track.init)}"',
    ]
    if key_id:
        lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="../key-{quote(key_id, safe="")}"')
    for segment in track.segments:
        lines += [f"#EXTINF:{segment.duration:.6f},", _file(segment)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def master_playlist(plan: EncodePlan, video: list[Track], audio: Track | None, base: str = "") -> str:
    """The master playlist. `base` (empty, or ending with a slash) goes before every rendition's path.

    `video` is in the order of `plan.rungs`. The first variant, where players start, is the second
    smallest: the smallest looks poor until the first switch.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if audio:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="Audio",DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="2",URI="{base}{audio.name}/media.m3u8"'
        )
    variants = list(zip(plan.rungs, video, rates(video, audio), strict=True))
    for rung, track, rate in variants[1:2] + variants[:1] + variants[2:]:
        codecs = ",".join([track.codec, audio.codec] if audio else [track.codec])
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={rate.peak},AVERAGE-BANDWIDTH={rate.average},"
            f'CODECS="{codecs}",RESOLUTION={rung.width}x{rung.height},FRAME-RATE={float(plan.fps):.3f}'
            + (f',AUDIO="{AUDIO_GROUP}"' if audio else ""),
            f"{base}{track.name}/media.m3u8",
        ]
    return "\n".join([*lines, ""])


def rates(video: list[Track], audio: Track | None) -> list[Rate]:
    """Measured rates of each variant, its sound included (RFC 8216 4.3.4.2)."""
    sound = _rate(audio) if audio else Rate(0, 0)
    return [Rate(*map(sum, zip(_rate(track), sound, strict=True))) for track in video]


def _rate(track: Track) -> Rate:
    """Segments shorter than half the longest do not set the peak: one keyframe at the end is no rate."""
    longest = max(segment.duration for segment in track.segments)
    peak = max(s.size * 8 / s.duration for s in track.segments if s.duration * 2 >= longest)
    size = sum(segment.size for segment in track.segments)
    return Rate(round(peak), round(size * 8 / sum(segment.duration for segment in track.segments)))


def _file(segment: Segment) -> str:
    return PurePosixPath(segment.key).name
