"""A watermark is where it belongs in every frame, however a lecture is cut into units, and trimmed."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from temporalio.exceptions import ApplicationError

from activities.video.encode import MARKED, QUALITY, Stretch, stretch_args
from activities.video.ffmpeg import RECIPE
from activities.video.marking import ACROSS, DOWN, MARGIN
from activities.video.marks import Marks, unknown_letters
from contracts.video import EncodePlan, Mark, MarkPlace, Watermark
from tests.integration.serving import bare_settings
from tests.unit import media
from tests.unit.test_trim import BASE, NEW, Bucket, Lecture, holds, lossless

_ = lossless
ACADEMY = Watermark(text="가온 학원", place="moving", opacity=0.8, height=0.2)


async def marked(
    bucket: Bucket, plan: EncodePlan, wanted: Watermark, folder: Path
) -> tuple[EncodePlan, dict[str, Path]]:
    """The plan with its mark, and what a worker would fetch of it."""
    objects: Any = bucket
    marks = Marks(objects, media.TOOLS, folder)
    mark = await marks.drawn(plan, wanted)
    kept = {}
    async with marks.held(mark) as files:
        for name, path in files.items():
            kept[name] = path.rename(folder / f"{name}.png")
    return plan.model_copy(update={"mark": mark}), kept


def greys(joined: Path, plan: EncodePlan) -> Any:
    """The luma of every frame."""
    command = f"-v error -y -i {joined} -map 0:v -fps_mode passthrough -f rawvideo -pix_fmt gray"
    media.ffmpeg(command, str(joined.with_suffix(".raw")))
    rung = plan.rungs[0]
    raw = np.fromfile(joined.with_suffix(".raw"), np.uint8)
    return raw.reshape(-1, rung.height, rung.width).astype(int)


@pytest.mark.parametrize("name", ["closed_gop", pytest.param("ntsc", marks=pytest.mark.slow)])
async def test_a_moving_mark_is_at_its_place_in_every_frame(name: str, tmp_path: Path) -> None:
    source, plan = await media.prepare(media.make(tmp_path, name), unit_segments=1)
    shown, files = await marked(Bucket(), plan, ACADEMY, tmp_path)
    frames = {}
    for what, (each, marks) in {"bare": (plan, None), "apart": (shown, files)}.items():
        units = await media.encode(source, each, tmp_path / what, marks, **media.LOSSLESS)
        frames[what] = greys(media.join(tmp_path / what, units), plan)
    one = shown.model_copy(update={"unit_segments": 15})
    whole = await media.encode(source, one, tmp_path / "whole", files, **media.LOSSLESS)
    assert (greys(media.join(tmp_path / "whole", whole), plan) == frames["apart"]).all()

    rung = plan.rungs[0]
    with Image.open(files[rung.name]) as picture:
        wide, high = picture.size
    margin = 2 * round(rung.height * MARGIN / 2)
    assert len(frames["bare"]) == len(frames["apart"]) == plan.total_frames
    for number, (bare, over) in enumerate(zip(frames["bare"], frames["apart"], strict=True)):
        seconds = float(number / plan.fps)
        left, top = (
            int(margin + (side - 2 * margin) * abs(1 - seconds / way % 2)) & ~1
            for side, way in ((rung.width - wide, ACROSS), (rung.height - high, DOWN))
        )
        changed = np.argwhere(abs(over - bare) > 8)
        (first_y, first_x), (last_y, last_x) = changed.min(0), changed.max(0)
        assert left <= first_x and last_x < left + wide and top <= first_y and last_y < top + high, number
        assert last_x - first_x > wide / 2 and last_y - first_y > high / 2, number


@pytest.mark.slow
async def test_a_turned_lecture_keeps_its_mark_where_its_colours_change(tmp_path: Path) -> None:
    for name in ("bt709", "smpte170m"):
        tags = f"-color_primaries {name} -color_trc {name} -colorspace {name}"
        black = "-f lavfi -i color=black:s=160x90:r=25:d=4 -c:v libx264 -preset ultrafast -g 50"
        media.ffmpeg(f"{black} {tags}", str(tmp_path / f"{name}.h264"))
    both = [(tmp_path / f"{name}.h264").read_bytes() for name in ("bt709", "smpte170m")]
    (tmp_path / "both.h264").write_bytes(b"".join(both))
    media.ffmpeg(f"-r 25 -i {tmp_path}/both.h264 -c copy", str(tmp_path / "both.mp4"))
    media.ffmpeg(f"-display_rotation 90 -i {tmp_path}/both.mp4 -c copy", str(tmp_path / "turned.mp4"))
    source, plan = await media.prepare(tmp_path / "turned.mp4")
    assert plan.rotated and (plan.total_frames, plan.unit_count) == (200, 1)
    shown, files = await marked(Bucket(), plan, ACADEMY, tmp_path)
    units = await media.encode(source, shown, tmp_path / "out", files, **media.LOSSLESS)
    assert greys(media.join(tmp_path / "out", units), plan).max((1, 2)).min() > 150


async def test_the_same_unit_has_the_same_bytes_and_a_plan_without_has_those_of_before(
    tmp_path: Path,
) -> None:
    source, plan = await media.prepare(media.make(tmp_path, "closed_gop"))
    shown, files = await marked(Bucket(), plan, ACADEMY, tmp_path)
    first, second = [
        await media.encode(source, shown, tmp_path / again, files) for again in ("first", "second")
    ]
    assert first == second
    before = EncodePlan.model_validate_json(plan.model_dump_json(exclude={"mark"}))
    made = [stretch_args(source, each, Stretch(0, 100), tmp_path, QUALITY) for each in (plan, before)]
    assert made[0] == made[1] and "overlay" not in " ".join(made[0])
    with pytest.raises(KeyError):  # never without the mark that its plan has
        stretch_args(source, shown, Stretch(0, 100), tmp_path, QUALITY)


@pytest.mark.parametrize(
    "place",
    [
        "top-left",
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ("top-right", "bottom-left", "bottom-right")
        ),
    ],
)
async def test_a_corner_is_a_corner(place: MarkPlace, tmp_path: Path) -> None:
    source, plan = await media.prepare(media.make(tmp_path, "long_still"))
    wanted = ACADEMY.model_copy(update={"place": place})
    shown, files = await marked(Bucket(), plan, wanted, tmp_path)
    frames = []
    for what, (each, marks) in {"bare": (plan, None), "over": (shown, files)}.items():
        units = await media.encode(source, each, tmp_path / what, marks, **media.LOSSLESS)
        frames.append(greys(media.join(tmp_path / what, units), plan)[0])
    high, wide = frames[0].shape
    y, x = np.argwhere(abs(frames[1] - frames[0]) > 8).mean(0)
    assert ("left" in place, "top" in place) == (bool(x < wide / 2), bool(y < high / 2))


@pytest.mark.slow
async def test_a_part_of_a_marked_lecture_is_marked_as_the_whole(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    path, plan = await media.prepare(media.make(tmp_path, "closed_gop"), prefix=BASE)
    made = Lecture(path, plan, tmp_path / "made")
    made.plan, made.marks = await marked(made.bucket, plan, ACADEMY, tmp_path)
    await made.make()
    # A trim of a release that knows no marks finds that what it would encode is something else.
    name = plan.rungs[0].name
    bare = await media.encode(path, plan, tmp_path / "bare", **media.LOSSLESS)
    unmarked = (tmp_path / "bare" / "0" / bare[0][0].init.name).read_bytes()
    assert made.bucket[f"{BASE}{name}/init.mp4"] == unmarked + MARKED
    # What an encode would plan now has another mark, or none.
    made.plan = plan
    cut = await made.trim(1.32, 8.6)
    holds(made, cut, BASE, NEW, 33, 215)
    holds(made, await made.trim(0.2, 5.04, NEW, cut.made_of), NEW, NEW.replace("b", "c"), 5, 126)
    kept = sorted(data for key, data in made.bucket.items() if key.startswith(BASE) and ".png" in key)
    assert kept == sorted(data for key, data in made.bucket.items() if key.startswith(NEW) and ".png" in key)


async def test_a_picture_of_the_academy_is_scaled_and_faded(tmp_path: Path) -> None:
    _, plan = await media.prepare(media.make(tmp_path, "closed_gop"))
    picture = Image.new("RGBA", (400, 100), (255, 0, 0, 200))
    picture.save(tmp_path / "logo.png")
    bucket = Bucket({"tenants/7/logo.png": (tmp_path / "logo.png").read_bytes(), "text": b"no picture"})
    wanted = Watermark(picture="tenants/7/logo.png", opacity=0.5, height=0.2)
    _, files = await marked(bucket, plan, wanted, tmp_path)
    with Image.open(files[plan.rungs[0].name]) as scaled:
        assert scaled.size == (72, 18)
        red, green, blue, alpha = scaled.convert("RGBA").getpixel((36, 9))
    assert (red, green, blue) == (255, 0, 0) and alpha == pytest.approx(100, abs=2)
    picture.convert("RGB").save(tmp_path / "logo.jpg")
    bucket["jpeg"] = (tmp_path / "logo.jpg").read_bytes()
    for key in ("text", "jpeg", "nothing"):
        with pytest.raises(ApplicationError) as refused:
            await marked(bucket, plan, wanted.model_copy(update={"picture": key}), tmp_path)
        assert refused.value.type == "WATERMARK_UNREADABLE"


async def test_words_are_drawn_and_never_told_to_ffmpeg(tmp_path: Path) -> None:
    source, plan = await media.prepare(media.make(tmp_path, "closed_gop"))
    said = "a':x=0,[0:v]drawtext=textfile=/etc/passwd; \\ %{pts} 가"
    shown, files = await marked(Bucket(), plan, Watermark(text=said), tmp_path)
    told = " ".join(stretch_args(source, shown, Stretch(0, 100), tmp_path, QUALITY, 0, files))
    assert "passwd" not in told and "pts}" not in told
    assert isinstance(shown.mark, Mark) and said not in shown.model_dump_json()
    # A line that is wider than the picture is drawn smaller.
    with Image.open(files[plan.rungs[0].name]) as picture:
        assert picture.width <= plan.rungs[0].width * 0.9 + 1
    assert unknown_letters("가온 Academy 1!①") == ""
    assert unknown_letters("가온 😀뷁") == "😀뷁"


def test_workers_of_the_release_before_refuse_such_plans() -> None:
    """By their fingerprint, of which the recipe is a part: they know neither marks nor keys that change."""
    (release,) = sorted((Path(__file__).parents[1] / "releases").glob("*.tar.xz"))[-1:]
    with tarfile.open(release) as archive:
        module = archive.extractfile("release/activities/video/ffmpeg.py")
        assert module
        assert f'RECIPE = "{RECIPE}"' not in module.read().decode()


def test_an_academy_has_a_mark_of_its_own_or_none() -> None:
    settings = bare_settings(watermarks='{"7": {"text": "가온 학원", "place": "moving"}}')
    mark = settings.watermark_of(7)
    assert mark and (mark.text, mark.place, mark.opacity) == ("가온 학원", "moving", 0.5)
    assert settings.watermark_of(8) is None
    assert hash(settings), "caches are by settings"
    for wrong in (
        {},
        {"text": "a", "picture": "tenants/7/a.png"},
        {"text": "a\nb"},
        {"text": "a", "opactiy": 0.1},
        {"text": "a", "place": "middle"},
        {"text": "a", "height": 0.9},
        {"picture": "tenants/70/a.png"},
    ):
        with pytest.raises(ValueError, match=r"(?i)watermarks"):
            bare_settings(watermarks=json.dumps({"7": wrong}))
