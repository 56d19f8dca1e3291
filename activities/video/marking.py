"""A mark laid over the pictures of a rendition. Where it is follows from a frame's time in the lecture, so
units that are encoded apart fit together. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ffmpeg
from ffmpeg.nodes import FilterableStream, FilterNode, Node

from contracts.video import EncodePlan, MarkPlace, Rung

MARGIN = 0.03  # of the picture's height
# Seconds from one side to the other: nothing of the picture is covered for long, and no two ways are alike.
ACROSS, DOWN = 97, 61


class _Still(FilterNode):  # type: ignore[misc]
    """A PNG of ours, opened within the graph: where ffmpeg makes that anew, in a source that is turned and
    changes midway, an input would have come to its end."""

    def __init__(self, path: Path) -> None:
        Node.__init__(
            self,
            stream_spec=None,
            name="movie",
            incoming_stream_types={FilterableStream},
            outgoing_stream_type=FilterableStream,
            min_inputs=0,
            max_inputs=0,
            kwargs={"filename": str(path), "format_name": "png_pipe"},
        )


def marked(video: Any, plan: EncodePlan, rung: Rung, pictures: Mapping[str, Path]) -> Any:
    """`pictures`: the plan's, by rendition. `video` itself where the plan has no mark. Raises KeyError where
    one is missing: nothing is encoded without the mark that its plan has."""
    if plan.mark is None:
        return video
    picture = _Still(pictures[rung.name]).stream()
    # The frames' own clock: of two, the filter would count in a third.
    picture = picture.filter("settb", f"{plan.fps_den}/{plan.fps_num}")
    picture = picture.filter("scale", out_color_matrix="bt709", out_range="limited")
    x, y = _place(plan.mark.place, 2 * round(rung.height * MARGIN / 2))
    evaluated = "frame" if plan.mark.place == "moving" else "init"
    over = [video.filter("format", "yuv420p"), picture.filter("format", "yuva420p")]
    return ffmpeg.filter(over, "overlay", x=x, y=y, eval=evaluated)


def _place(place: MarkPlace, margin: int) -> tuple[str, str]:
    """Left and upper side, as ffmpeg's `overlay` computes them; `t` is the frame's time in the lecture."""
    right, bottom = f"main_w-overlay_w-{margin}", f"main_h-overlay_h-{margin}"
    if place == "moving":
        x, y = (
            f"{margin}+({side}-{margin})*abs(1-mod(t/{seconds},2))"
            for side, seconds in ((right, ACROSS), (bottom, DOWN))
        )
        return x, y
    return str(margin) if "left" in place else right, str(margin) if "top" in place else bottom
