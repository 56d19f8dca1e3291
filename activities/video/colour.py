"""One shape and one colour for every lecture: BT.709 in limited range, 8 bits, and every rendition says so.

Encoders write the tags of the first picture they see, so without a plan units differ, and players guess what
is not said, each rendition by its size.
"""

import re
from typing import Any, NamedTuple

import ffmpeg

from contracts.video import Colour, EncodePlan

_UNSAID = {"unknown", "unspecified", "reserved", "nil"}
_ALPHA = re.compile(r"yuva|gbrap|rgba|bgra|argb|abgr|ya8|ya16|pal8")
_RGB = re.compile(r"gbr|rgb|bgr|pal8|0rgb|x2rgb")
# Decoders that keep a tag from outside until the stream has one; the others say "unknown" each time.
_KEEPING = {"h264", "mpeg4", "mpeg1video", "mpeg2video"}
_SAME_SHAPE = 0.03  # by which sides rounded to even numbers may differ
_WHITE = 203  # cd/m² of white paper in HDR (ITU-R BT.2408)
_BRIGHTEST = 1000  # cd/m² that are told apart


class FirstPicture(NamedTuple):
    """What ffmpeg's `showinfo` says of it. `time`: seconds from where the container's clock begins."""

    format: str
    width: int
    height: int
    range: str
    matrix: str
    primaries: str
    transfer: str
    time: float = 0.0

    @classmethod
    def read(cls, said: str) -> "FirstPicture":
        def word(pattern: str) -> str:
            found = re.search(pattern, said)
            return found[1] if found else "unknown"

        size = re.search(r" s:(\d+)x(\d+)", said)
        time = re.search(r" pts_time:(-?[\d.]+)", said)
        return cls(
            word(r" fmt:(\w+)"),
            int(size[1]) if size else 0,
            int(size[2]) if size else 0,
            word(r"color_range:([\w-]+)"),
            word(r"color_space:([\w-]+)"),
            word(r"color_primaries:([\w-]+)"),
            word(r"color_trc:([\w-]+)"),
            float(time[1]) if time else 0.0,
        )


def colour_of(first: FirstPicture, codec: str) -> Colour:
    """What is not said is taken as players take it: small pictures as BT.601, large ones as BT.709."""
    guess = "bt709" if first.width >= 1280 or first.height > 576 else "smpte170m"
    hdr = first.transfer in ("smpte2084", "arib-std-b67")
    if hdr or (first.matrix in _UNSAID and first.primaries == "bt2020"):
        guess = "bt2020nc"
    rgb = bool(_RGB.match(first.format))
    return Colour(
        matrix="gbr" if rgb else guess if first.matrix in _UNSAID else first.matrix,
        primaries=("bt2020" if hdr else "bt709") if first.primaries in _UNSAID else first.primaries,
        transfer="bt709" if first.transfer in _UNSAID else first.transfer,
        full=first.range == "pc" or first.format.startswith("yuvj"),
        tagged=rgb or first.matrix not in _UNSAID,
        kept=codec in _KEEPING,
        alpha=bool(_ALPHA.match(first.format)),
    )


def assumed(plan: EncodePlan) -> dict[str, str]:
    """Options of the input: what its decoder takes pictures for that do not say it."""
    return {} if plan.colour.tagged or not plan.colour.kept else {"colorspace": plan.colour.matrix}


def in_bt709(video: Any, plan: EncodePlan) -> Any:
    """Any source's pictures, each by its own tags, as BT.709. An ordinary one passes untouched."""
    colour = plan.colour
    if colour.alpha:
        video = _on_white(video)
    if colour.hdr or colour.wide:
        return _narrowed(video, plan)
    if not colour.tagged and not colour.kept:
        video = video.filter("setparams", colorspace=colour.matrix)
    return video.filter(
        "scale", "iw", "ih", eval="frame", out_color_matrix="bt709", out_range="limited"
    ).filter("format", "yuv420p")


def fitted(video: Any, width: int, height: int) -> Any:
    """The picture in that size, between black bars if it has another shape than the lecture."""
    same = f"lt(abs(dar*{height}/{width}-1),{_SAME_SHAPE})"
    inside = _within(width, height)
    wide, high = f"if({same},{width},{inside['w']})", f"if({same},{height},{inside['h']})"
    scaled = video.filter("scale", w=wide, h=high, eval="frame")
    return scaled.filter("pad", width, height, -1, -1, eval="frame").filter("setsar", 1)


def _within(width: int, height: int) -> dict[str, str]:
    """Options of `scale`: as large as fits."""
    return {"w": f"2*trunc(min({width},{height}*dar)/2)", "h": f"2*trunc(min({height},{width}/dar)/2)"}


def tagged(video: Any) -> Any:
    return video.filter(
        "setparams", range="limited", color_primaries="bt709", color_trc="bt709", colorspace="bt709"
    )


def _on_white(video: Any) -> Any:
    copies = video.filter("format", "gbrap").filter_multi_output("split", 3)
    white = copies[0].filter("format", "gbrp").filter("lutrgb", r="maxval", g="maxval", b="maxval")
    picture = copies[1].filter("format", "gbrp")
    mask = copies[2].filter("shuffleplanes", 3, 3, 3, 3).filter("format", "gbrp")
    return ffmpeg.filter([white, picture, mask], "maskedmerge")


def _narrowed(video: Any, plan: EncodePlan) -> Any:
    """High dynamic range and wide colours, by light: tone-mapped so that white paper stays white."""
    colour, top = plan.colour, plan.rungs[-1]
    if plan.frame_width * plan.frame_height > top.width * top.height:  # light is dear to compute
        video = video.filter("scale", **_within(top.width, top.height), eval="frame")
    light = video.filter(
        "zscale",
        matrixin=colour.matrix,
        primariesin=colour.primaries,
        transferin=colour.transfer,
        rangein="full" if colour.full else "limited",
        transfer="linear",
        npl=_WHITE if colour.hdr else 100,
    ).filter("format", "gbrpf32le")
    light = light.filter("zscale", primaries="bt709")
    if colour.hdr:
        light = light.filter("tonemap", "mobius", desat=0, peak=f"{_BRIGHTEST / _WHITE:.3f}")
    shown = light.filter("zscale", matrix="bt709", transfer="bt709", range="limited")
    shown = shown.filter("format", "yuv420p")
    for kind in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DOVI_RPU_BUFFER", "DYNAMIC_HDR_PLUS"):
        shown = shown.filter("sidedata", "delete", type=kind)
    return shown
