"""What an academy wants burnt into its lectures, drawn when a lecture is planned: a PNG for each rendition.

Text is drawn here, in our own font, and never part of what ffmpeg is told. A picture that was uploaded is
decoded by ffmpeg in its cage. The plan names the PNGs by their content, so every worker lays the same pixels
over its frames, whatever its fonts and policies are by then.
"""

import io
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import ffmpeg
from PIL import Image, ImageDraw, ImageFont

from activities.host.threads import in_thread
from activities.video.errors import final
from activities.video.ffmpeg import FfmpegFailed, Tools, run_ffmpeg
from clients.objects import ObjectMissing, Objects, sha256
from contracts.errors import WATERMARK_UNREADABLE
from contracts.video import MARKS, EncodePlan, Mark, MarkPicture, Rung, Watermark

FONT = Path(__file__).with_name("gothic.ttf")
WIDEST = 0.9  # of the picture
LARGEST = 8 * 2**20  # bytes of an uploaded picture
PNG_TYPE, JSON = "image/png", "application/json"
_TIMEOUT = 60.0
# How an uploaded picture is opened.
PNG = {
    "format": "png_pipe",
    "codec_whitelist": "png",
    "protocol_whitelist": "file",
    "max_pixels": 4096 * 4096,
}


class Marks:
    def __init__(self, objects: Objects, tools: Tools, scratch: Path) -> None:
        self._objects = objects
        self._tools = tools
        self._scratch = scratch

    async def drawn(self, plan: EncodePlan, wanted: Watermark) -> Mark:
        """Store the pictures below the plan's prefix, and a list of them. Raises WATERMARK_UNREADABLE as a
        final error: a lecture is not published without."""
        if wanted.text:
            made = [await in_thread(of_text, wanted.text, rung, wanted) for rung in plan.rungs]
        else:
            made = await self._of_picture(plan, wanted)
        return await in_thread(self._stored, plan, wanted, made)

    def _stored(self, plan: EncodePlan, wanted: Watermark, made: list[bytes]) -> Mark:
        pictures = []
        for rung, data in zip(plan.rungs, made, strict=True):
            digest = sha256(data)
            key = f"{plan.prefix}{MARKS}{rung.name}-{digest[:16]}.png"
            self._objects.put(key, data, PNG_TYPE)
            pictures.append(MarkPicture(rung=rung.name, key=key, sha256=digest))
        mark = Mark(place=wanted.place, pictures=pictures)
        self._put(plan.prefix, mark)
        return mark

    async def _of_picture(self, plan: EncodePlan, wanted: Watermark) -> list[bytes]:
        assert wanted.picture
        try:
            source = await in_thread(self._objects.head, wanted.picture)
            if source.size > LARGEST:
                raise final(WATERMARK_UNREADABLE)
            data = await in_thread(self._objects.get, wanted.picture)
        except ObjectMissing as error:
            raise final(WATERMARK_UNREADABLE) from error
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            upload = Path(folder, "upload.png")
            await in_thread(upload.write_bytes, data)
            return [await self._scaled(upload, rung, wanted) for rung in plan.rungs]

    async def _scaled(self, upload: Path, rung: Rung, wanted: Watermark) -> bytes:
        out = upload.with_name("out")
        out.mkdir(exist_ok=True)
        picture = ffmpeg.input(f"file:{upload}", **PNG)["v"].filter("format", "rgba")
        picture = picture.filter(
            "scale",
            round(rung.width * WIDEST),
            round(rung.height * wanted.height),
            force_original_aspect_ratio="decrease",
            flags="lanczos",
        ).filter("colorchannelmixer", aa=wanted.opacity)
        made = ffmpeg.output(picture, str(out / "mark.png"), format="image2", update=1, **{"frames:v": 1})
        try:
            await run_ffmpeg(self._tools, made.get_args(), timeout=_TIMEOUT, reads=[upload], writes=[out])
        except FfmpegFailed as error:
            if error.code < 0:
                raise
            raise final(WATERMARK_UNREADABLE) from error
        return await in_thread((out / "mark.png").read_bytes)

    async def of_version(self, prefix: str) -> list[Mark]:
        """Of a version: none, or the one that it was encoded with. More, where its plan was made twice by
        programs that draw differently."""

        def read() -> list[Mark]:
            keys = [key for key, _ in self._objects.list(prefix + MARKS) if key.endswith(".json")]
            return [Mark.model_validate_json(self._objects.get(key)) for key in keys]

        return await in_thread(read)

    async def carried(self, mark: Mark, prefix: str) -> None:
        """Store the same below another version's prefix, for its own trims. Raises ObjectMissing."""

        def copy() -> None:
            pictures = []
            for each in mark.pictures:
                key = f"{prefix}{MARKS}{each.key.rpartition('/')[2]}"
                self._objects.put(key, self._objects.get(each.key), PNG_TYPE)
                pictures.append(each.model_copy(update={"key": key}))
            self._put(prefix, mark.model_copy(update={"pictures": pictures}))

        await in_thread(copy)

    def _put(self, prefix: str, mark: Mark) -> None:
        data = mark.model_dump_json().encode()
        self._objects.put(f"{prefix}{MARKS}{sha256(data)[:16]}.json", data, JSON)

    @asynccontextmanager
    async def held(self, mark: Mark | None) -> AsyncIterator[Mapping[str, Path]]:
        """The pictures as files, by their rendition. Raises ObjectMissing, ConnectionError where other bytes
        came than the plan names."""
        with tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder:
            files: dict[str, Path] = {}
            for each in mark.pictures if mark else []:
                data = await in_thread(self._objects.get, each.key)
                if sha256(data) != each.sha256:
                    raise ConnectionError("a watermark did not come as it is stored")
                files[each.rung] = Path(folder, f"{each.rung}.png")
                await in_thread(files[each.rung].write_bytes, data)
            yield files


def of_text(text: str, rung: Rung, wanted: Watermark) -> bytes:
    """White letters with a dark edge, seen on slides and on blackboards: a PNG, smaller where the line would
    be wider than the picture."""
    size = max(8.0, rung.height * wanted.height)
    while True:
        font = ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
        edge = max(1, round(size / 16))
        left, top, right, bottom = font.getbbox(text, stroke_width=edge)
        wide, high = round(right - left), round(bottom - top)
        if wide <= rung.width * WIDEST or size <= 4:
            break
        size *= max(0.5, rung.width * WIDEST / wide * 0.98)
    # A pixel of colour stands for two by two.
    image = Image.new("RGBA", (wide + wide % 2, high + high % 2), (0, 0, 0, 0))
    ImageDraw.Draw(image).text(
        (-left, -top), text, (255, 255, 255, 255), font, stroke_width=edge, stroke_fill=(0, 0, 0, 255)
    )
    image.putalpha(image.getchannel("A").point(lambda value: round(value * wanted.opacity)))
    found = io.BytesIO()
    image.save(found, "PNG")
    return found.getvalue()


def unknown_letters(text: str) -> str:
    """Those that the font has not."""
    font = ImageFont.truetype(FONT, 32, layout_engine=ImageFont.Layout.BASIC)
    missing = font.getmask("\U0010fffd").getbbox(), bytes(font.getmask("\U0010fffd"))
    return "".join(
        letter
        for letter in dict.fromkeys(text)
        if letter != " " and (font.getmask(letter).getbbox(), bytes(font.getmask(letter))) == missing
    )
