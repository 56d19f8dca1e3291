"""Documents as pages, good ones and hostile ones."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from PIL import Image, ImageOps

from activities.ai.pages import PAGE_PIXELS, count, load
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr.sheet import sheet
from contracts.errors import FILE_DAMAGED, FILE_ENCRYPTED, FILE_NOT_SUPPORTED, PAGE_TOO_LARGE

# Dark above, white below: one can see which way up it is.
HALVES = Image.fromarray(np.repeat(np.array([40, 255], np.uint8), 50)[:, None].repeat(60, axis=1))


def is_upright(page: np.ndarray) -> bool:
    return page.shape[:2] == (100, 60) and page[:40].max() < 80 and page[60:].min() > 230


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.bmp", "a.heic"])
def test_pictures(tmp_path, name):
    path = tmp_path / name
    HALVES.convert("RGB").save(path)
    assert count(path) == 1
    assert is_upright(load(path, 0))
    assert load(path, 0, "RGB").shape == (100, 60, 3)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_phones_picture_is_turned_upright(tmp_path, turn):
    stored = {1: 0, 3: 180, 6: 90, 8: 270}[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    HALVES.rotate(stored, expand=True).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert is_upright(load(tmp_path / "a.jpg", 0))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_ways_to_store_grey(tmp_path, mode):
    picture = HALVES
    if mode == "I;16":
        picture = Image.fromarray(np.array(HALVES).astype(np.uint16) * 257)
    elif mode == "LA":  # black ink on nothing
        picture = Image.merge("LA", (Image.new("L", HALVES.size, 0), ImageOps.invert(HALVES)))
    elif mode == "RGBA":
        ink = Image.new("L", HALVES.size, 0)
        picture = Image.merge("RGBA", (ink, ink, ink, ImageOps.invert(HALVES)))
    else:
        picture = HALVES.convert(mode, dither=Image.Dither.NONE)
    picture.save(tmp_path / "a.png")
    assert is_upright(load(tmp_path / "a.png", 0))


def test_pages_of_a_tiff(tmp_path):
    path = tmp_path / "a.tif"
    pages = [Image.new("L", (20, 10), shade) for shade in (0, 100, 200)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert [int(load(path, index).mean()) for index in range(count(path))] == [0, 100, 200]


def test_frames_of_other_pictures_are_no_pages(tmp_path):
    pages = [Image.new("L", (20, 10), shade) for shade in (0, 255)]
    pages[0].save(tmp_path / "a.webp", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=pages[1:])
    assert [count(tmp_path / name) for name in ("a.webp", "a.jpg")] == [1, 1]


def test_a_pdf_at_its_resolution(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"\n" * 100 + sheet(10))
    assert count(path) == 1
    assert load(path, 0, dpi=100).shape == (1170, 827)
    assert load(path, 0, "RGB", dpi=50).shape == (585, 414, 3)


def test_a_huge_pdf_page_is_rendered_smaller(tmp_path):
    path = tmp_path / "a.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(14400, 14400))
        pdf.save(path)
    page = load(path, 0)
    assert 0.9 * PAGE_PIXELS < page.size < 1.01 * PAGE_PIXELS


def test_a_locked_pdf(tmp_path):
    path = tmp_path / "a.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(path, encryption=pikepdf.Encryption(owner="made up", user="made up too"))
    assert refused(path) == FILE_ENCRYPTED


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("name", "shape"), [("a.jpg", (4500, 6000)), ("a.png", (5477, 7302))])
def test_a_large_photo_is_decoded_smaller(tmp_path, name, shape):
    """A JPEG of a phone's 108 megapixels; a PNG of 70."""
    size = (12_000, 9_000) if name == "a.jpg" else (9_660, 7_245)
    Image.new("L", size, 90).save(tmp_path / name, compress_level=1)
    page = load(tmp_path / name, 0)
    assert page.shape == shape
    assert page.size <= PAGE_PIXELS
    assert int(page.mean()) == 90


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_small_file_of_very_many_pixels(tmp_path, side):
    path = tmp_path / "a.png"
    path.write_bytes(png_header(side))
    assert refused(path) == PAGE_TOO_LARGE


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.heic", "a.pdf"])
@pytest.mark.parametrize("kept", [0.3, 0.6])
def test_a_file_that_was_cut_off(tmp_path, name, kept):
    """An upload that stopped. Readers may repair a little, but never raise anything else."""
    noise = np.random.default_rng(1).integers(0, 255, (300, 300)).astype(np.uint8)
    path = tmp_path / name
    Image.fromarray(noise).convert("RGB").save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert refused(path) in (FILE_DAMAGED, FILE_NOT_SUPPORTED)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        "점수".encode(),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<svg/>",
        b"PK\3\4",
    ],
)
def test_what_is_no_document(tmp_path, data):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert refused(path) == FILE_NOT_SUPPORTED


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as raised:
        load(path, count(path) - 1)
    return raised.value.code


def png_header(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
