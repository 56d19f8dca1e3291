"""The plan: rates that players know, renditions without enlarging, units that fit the keyframes."""

from fractions import Fraction
from itertools import pairwise

import pytest

from activities.video.audible import Kept
from activities.video.plan import LADDERS, ladder, make_plan, output_rate
from activities.video.probe import SourceInfo
from contracts.video import EncodePlan, SourceRef
from tests.integration.serving import bare_settings

INFO = SourceInfo(
    container="mov",
    needs_remux=False,
    width=1920,
    height=1080,
    interlaced=False,
    frame_rate=25.0,
    constant_rate=True,
    frames=1500,
    video_stream=0,
    video_start=0.0,
    video_end=60.0,
    max_frame_gap=0.04,
    max_keyframe_gap=2.0,
    audio_stream=1,
    audio_start=0.0,
    audio_end=60.02,
)


def plan(**changes: object) -> EncodePlan:
    info = SourceInfo(**(vars(INFO) | changes))  # type: ignore[arg-type]
    return make_plan(info, SourceRef(key="k", etag="e", size=1), prefix="p/", encoder="x")


def test_a_recording_is_counted_in_frames_of_sound() -> None:
    sound = Kept(stream=0, language="und", label="Audio")
    made = plan(video_stream=None, audio_stream=0, audio_end=60.02, sounds=[sound])
    assert (made.unit_count, made.rungs, made.duration) == (0, [], pytest.approx(60.02, abs=0.022))
    assert [(each.name, each.bitrate) for each in made.sounds] == [("audio", 128_000), ("audio64", 64_000)]
    # Players want a second at least.
    assert plan(video_stream=None, audio_end=0.2, sounds=[sound]).duration == pytest.approx(1, abs=0.022)
    two = plan(video_stream=None, sounds=[sound, Kept(stream=1, language="en", label="English")])
    assert [(each.name, each.bitrate) for each in two.sounds] == [("audio", 128_000), ("audio2", 128_000)]


@pytest.mark.parametrize(
    ("size", "renditions"),
    [
        ((1920, 1080), ["640x360", "1280x720", "1920x1080"]),
        ((3840, 2160), ["640x360", "1280x720", "1920x1080"]),
        ((1080, 1920), ["360x640", "720x1280", "1080x1920"]),
        ((1440, 1080), ["480x360", "960x720", "1440x1080"]),
        ((1280, 720), ["640x360", "1280x720"]),
        ((1600, 900), ["640x360", "1280x720", "1600x900"]),
        ((854, 480), ["640x360", "854x480"]),
        ((640, 360), ["426x240", "640x360"]),
        ((640, 400), ["384x240", "576x360"]),
        ((320, 240), ["320x240"]),
        ((321, 181), ["320x180"]),
        ((3440, 1440), ["860x360", "1720x720", "2226x932"]),
    ],
)
def test_renditions(size: tuple[int, int], renditions: list[str]) -> None:
    rungs = ladder(*size)
    assert [f"{rung.width}x{rung.height}" for rung in rungs] == renditions
    assert all(rung.width <= size[0] and rung.height <= size[1] for rung in rungs)
    assert [rung.max_bitrate for rung in rungs] == sorted({rung.max_bitrate for rung in rungs})


@pytest.mark.parametrize(
    ("size", "lines"),
    [
        ((1920, 1080), [240, 360, 540, 720, 1080]),
        ((1280, 720), [240, 360, 540, 720]),
        ((960, 540), [240, 360, 540]),
        ((854, 480), [240, 360, 480]),
        ((640, 360), [240, 360]),
        ((320, 240), [240]),
        ((320, 180), [180]),
    ],
)
def test_a_fine_ladder_steps_by_two_and_a_half_at_most(size: tuple[int, int], lines: list[int]) -> None:
    rungs = ladder(*size, LADDERS["fine"])
    assert [min(rung.width, rung.height) for rung in rungs] == lines
    rates = [rung.max_bitrate for rung in rungs]
    assert all(1.1 < above / below < 2.7 for below, above in pairwise(rates))


def test_highest_rates_are_those_of_the_authoring_specification() -> None:
    assert [rung.max_bitrate for rung in ladder(1920, 1080)][1:] == [4_500_000, 7_800_000]
    assert 730_000 < ladder(640, 360)[1].max_bitrate < 1_100_000


@pytest.mark.parametrize(
    ("rate", "constant", "wanted"),
    [
        (23.976, True, Fraction(24000, 1001)),
        (24.0, True, Fraction(24)),
        (25.0001, True, Fraction(25)),
        (29.97, True, Fraction(30000, 1001)),
        (29.999, True, Fraction(30)),
        (50.0, True, Fraction(50)),
        (59.94, True, Fraction(60000, 1001)),
        (120.0, True, Fraction(60)),
        (119.88, True, Fraction(60000, 1001)),
        (12.0, True, Fraction(12)),
        (15.0, True, Fraction(15)),
        (14.985, True, Fraction(15000, 1001)),
        (7.5, True, Fraction(15, 2)),
        (13.7, True, Fraction(137, 10)),
        (5.0, True, Fraction(5)),
        (1.0, True, Fraction(5)),
        (5.0, False, Fraction(5)),
        (15.0, False, Fraction(15)),
        (30.0, False, Fraction(30)),
        (13.1, False, Fraction(24000, 1001)),
        (13.7, False, Fraction(24000, 1001)),
        (24.3, False, Fraction(25)),
        (29.6, False, Fraction(30000, 1001)),
        (57.0, False, Fraction(30)),
    ],
)
def test_output_rate(rate: float, constant: bool, wanted: Fraction) -> None:
    assert output_rate(rate, constant) == wanted


def test_a_segment_is_two_groups_of_two_seconds_and_a_unit_two_segments() -> None:
    made = plan(frame_rate=30000 / 1001, video_end=60.06)
    assert (made.gop_frames, made.segment_frames, made.unit_segments) == (60, 120, 2)
    assert (made.total_frames, made.picture_frames, made.unit_count) == (1800, 1800, 8)


def test_units_grow_with_the_distance_of_keyframes_up_to_a_minute() -> None:
    assert [plan(max_keyframe_gap=gap).unit_segments for gap in (8.0, 8.1, 30.0, 3600.0)] == [2, 3, 8, 15]


@pytest.mark.parametrize("segments", [1, 2, 3, 4, 6, 12, 60, 1350])
def test_a_short_tail_is_no_unit_alone(segments: int) -> None:
    made = plan(video_end=4 * segments + 0.04, audio_end=0.0)
    assert made.total_frames == 100 * segments + 1
    assert made.total_frames % made.unit_frames > 25
    assert made.unit_segments <= 16


def test_preroll_reaches_back_over_the_longest_still() -> None:
    assert [plan(max_frame_gap=gap).preroll for gap in (0.04, 1.5, 40.0)] == [2.0, 2.5, 41.0]


def test_zero_is_the_first_picture_unless_sound_comes_clearly_earlier() -> None:
    assert plan(video_start=0.023, video_end=60.023).origin == 0.023
    assert plan(video_start=0.023, video_end=60.023).total_frames == 1500
    assert plan(video_start=1.5, audio_start=0.0).origin == 0.0
    assert plan(video_start=1.5, audio_start=2.0).origin == 1.5
    assert plan(video_start=1.5, audio_stream=None).origin == 1.5


def test_sound_that_outlasts_the_picture_is_kept() -> None:
    assert plan(audio_end=60.4).total_frames == 1500
    long = plan(audio_end=75.0)
    assert (long.picture_frames, long.total_frames) == (1500, 1875)


def test_a_single_picture_is_a_plan_too() -> None:
    assert plan(video_end=0.0, audio_stream=None, frames=1).total_frames == 1


def test_a_tenant_may_have_a_ladder_of_its_own() -> None:
    settings = bare_settings(ladders='{"7": "fine"}')
    assert [settings.ladder_of(tenant) for tenant in (7, 8)] == ["fine", "standard"]
    assert hash(settings), "caches are by settings"
