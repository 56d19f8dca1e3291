"""Pages of a document as arrays: PDF, multi-page TIFF, and single pictures of scanners and phones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pypdfium2 as pdfium
from PIL import Image, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener
from pypdfium2 import raw

from activities.ai.sandbox.task import BadInput
from contracts.errors import (
    FILE_DAMAGED,
    FILE_EMPTY,
    FILE_ENCRYPTED,
    FILE_NOT_SUPPORTED,
    PAGE_TOO_LARGE,
    TOO_MANY_PAGES,
)

Pixels = npt.NDArray[np.uint8]

DPI = 300  # at which pages are read
PAGE_PIXELS = 40_000_000  # of a page handed out: A4 at 600 dpi has 35 million
_GREY = frozenset("1LIFA")  # bands of Pillow's
_DECODED_PIXELS = 80_000_000  # of a picture that no decoder can shrink: A3 at 600 dpi has 70 million
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "HEIF", "GIF", "AVIF", "JPEG2000")
# What Pillow, libtiff and libheif raise on bytes that are not what they claim to be.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError)

register_heif_opener()


def count(path: Path) -> int:
    """How many pages. Raises BadInput: FILE_NOT_SUPPORTED, FILE_ENCRYPTED, FILE_DAMAGED, FILE_EMPTY."""
    if is_pdf(path):
        with _pdf(path) as document:
            return len(document)
    with _picture(path, 0) as picture:
        # Other files with several frames hold thumbnails, gain maps or bursts of the first one.
        return int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1


def page_units(path: Path, limit: int) -> list[str]:
    """A unit for each page: `page-0001` and on. Raises BadInput TOO_MANY_PAGES, and as `count`."""
    pages = count(path)
    if pages > limit:
        raise BadInput(TOO_MANY_PAGES, {"pages": pages, "limit": limit})
    return [f"page-{number:04}" for number in range(1, pages + 1)]


def page_index(unit: str) -> int:
    """Which page a unit of `page_units` is, from 0."""
    return int(unit.removeprefix("page-")) - 1


Mode = Literal["L", "RGB", "own"]


def load(path: Path, index: int, mode: Mode = "L", dpi: int = DPI) -> Pixels:
    """Page `index` (from 0) upright by its own metadata on white: height × width, and × 3 for RGB. `own` is L
    for a PDF and for a picture that has no colours, RGB for others.

    PDF pages are rendered at `dpi`, less where that were more than PAGE_PIXELS; pictures keep their own
    size up to PAGE_PIXELS, larger JPEGs half of it. Raises BadInput: those of `count`, and PAGE_TOO_LARGE.
    """
    if is_pdf(path):
        return _render(path, index, "RGB" if mode == "RGB" else "L", dpi)
    with _picture(path, index) as picture:
        if mode == "own":
            mode = "L" if _GREY.issuperset(picture.getbands()) else "RGB"
        if picture.format in ("JPEG", "MPO") and picture.width * picture.height > PAGE_PIXELS:
            # Half as large costs the decoder nothing.
            picture.draft(mode, (picture.width // 2, picture.height // 2))
        pixels = picture.width * picture.height
        if pixels > _DECODED_PIXELS:
            raise BadInput(PAGE_TOO_LARGE, {"page": index + 1, "pixels": pixels})
        flat = _flat(ImageOps.exif_transpose(picture), mode)
        if pixels > PAGE_PIXELS:
            side = int(max(flat.size) * (PAGE_PIXELS / pixels) ** 0.5)
            flat.thumbnail((side, side))
        return np.array(flat)


def is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return b"%PDF-" in file.read(1024)  # some writers put bytes before it, and readers allow it


def _render(path: Path, index: int, mode: Literal["L", "RGB"], dpi: int) -> Pixels:
    with _pdf(path) as document:
        try:
            page = document[index]
        except pdfium.PdfiumError:
            raise BadInput(FILE_DAMAGED, {"page": index + 1}) from None
        width, height = page.get_size()
        scale = min(dpi / 72, (PAGE_PIXELS / max(width * height, 1)) ** 0.5)
        bitmap = page.render(scale=scale, grayscale=mode == "L", rev_byteorder=True)
        return np.array(bitmap.to_numpy())


@contextmanager
def _pdf(path: Path) -> Iterator[pdfium.PdfDocument]:
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError:
        raise BadInput(_why_not(path)) from None
    try:
        yield document
    finally:
        document.close()


def _why_not(path: Path) -> str:
    """Why a PDF was not opened. One without pages is opened, and what is said of it is the error of another
    file before."""
    if opened := raw.FPDF_LoadDocument(str(path).encode(), None):
        raw.FPDF_CloseDocument(opened)
        return FILE_EMPTY
    locked = raw.FPDF_GetLastError() in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
    return FILE_ENCRYPTED if locked else FILE_DAMAGED


@contextmanager
def _picture(path: Path, index: int) -> Iterator[Image.Image]:
    """The picture at frame `index`, not decoded yet; errors of the body's decoding are BadInput too."""
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            if index:
                picture.seek(index)
            yield picture
    except BadInput:
        raise
    except UnidentifiedImageError:
        raise BadInput(FILE_NOT_SUPPORTED) from None
    except Image.DecompressionBombError:
        raise BadInput(PAGE_TOO_LARGE, {"page": index + 1}) from None
    except _DAMAGED:
        raise BadInput(FILE_DAMAGED, {"page": index + 1}) from None


def _flat(picture: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(picture))).convert(mode)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert(mode)
    return picture.convert(mode)


def _eight_bits(grey: npt.NDArray[Any]) -> Pixels:
    """Of grey that may have more: scanners put 10, 12 or 14 bits into 16, and fractions of 1 into floats."""
    brightest = float(np.nanmax(grey, initial=0))
    fractions = grey.dtype.kind == "f" and brightest <= 1
    white = 1.0 if fractions else 2.0 ** max(8, int(brightest).bit_length()) - 1
    return np.asarray(np.nan_to_num(grey.astype(np.float32)).clip(0, white) * (255 / white), np.uint8)
