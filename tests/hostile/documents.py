"""Documents and pictures that nobody should send, made when they are asked for."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable

import numpy as np
import pikepdf
from PIL import Image

from activities.ai.tasks.omr.sheet import sheet
from contracts import errors as e

Build = Callable[[], bytes]
NOT_A_SHEET = e.OMR_SHEET_NOT_FOUND  # it was opened and looked at, and no harm done


def pdf(*objects: bytes, extra: bytes = b"") -> bytes:
    """Objects 1, 2, …; the first one is the catalogue."""
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n"
    return out + trailer % (len(objects) + 1, extra, out.index(b"xref"))


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), entries, data)


CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"


def page(contents: bytes, resources: bytes, *more: bytes, entries: bytes = b"") -> bytes:
    """One page; `contents` becomes object 4, `more` objects 5, 6, …"""
    own = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << %b >> %b >>"
    return pdf(CATALOGUE, PAGES, own % (resources, entries), stream(contents), *more)


def picture_in_pdf(data: bytes, entries: bytes) -> bytes:
    named = b"/Type /XObject /Subtype /Image " + entries
    return page(b"595 0 0 842 0 0 cm /I Do", b"/XObject << /I 5 0 R >>", stream(data, named))


def zeros(size: int, layers: int = 1) -> bytes:
    """`size` zero bytes, deflated as often as told, without ever holding them: one deflated megabyte, again
    and again, and the checksum (RFC 1950) of that many zeros."""
    packer = zlib.compressobj(9, wbits=-15)
    megabyte = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">HH", (size >> 20 << 20) % 65521, 1)
    data = b"\x78\xda" + megabyte * (size >> 20) + b"\x03\x00" + checksum
    for _ in range(layers - 1):
        data = zlib.compress(data, 9)
    return data


def locked(revision: int) -> bytes:
    out = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        aes = revision >= 4
        document.save(
            out,
            encryption=pikepdf.Encryption(owner="o", user="u", R=revision, aes=aes, metadata=aes),
        )
    return out.getvalue()


def new_pdf() -> bytes:
    out = io.BytesIO()
    with pikepdf.new() as document:
        document.save(out)
    return out.getvalue()


def many_pages(count: int) -> bytes:
    leaves = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    kids = b" ".join(b"%d 0 R" % (3 + number) for number in range(count))
    return pdf(CATALOGUE, b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, count), *[leaves] * count)


def table_in_a_ring() -> bytes:
    """Its table of objects says that the one before it is itself."""
    own = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    place = pdf(CATALOGUE, PAGES, own).index(b"xref")
    return pdf(CATALOGUE, PAGES, own, extra=b"/Prev %d" % place)


def forms(levels: int, each: int) -> bytes:
    """A picture that draws a picture `each` times, which draws a picture …"""
    more = []
    for level in range(levels):
        last = level == levels - 1
        inner = b"0 0 9 9 re f" if last else b"/F Do " * each
        resources = b"" if last else b"/Resources << /XObject << /F %d 0 R >> >>" % (6 + level)
        more.append(stream(inner, b"/Type /XObject /Subtype /Form /BBox [0 0 99 99] " + resources))
    return page(b"/F Do", b"/XObject << /F 5 0 R >>", *more)


def jpx(side: int) -> bytes:
    """The beginning of a JPEG 2000 codestream of one grey component; ISO 15444-1 annex A."""
    size = struct.pack(">HHIIIIIIIIHBBB", 41, 0, side, side, 0, 0, side, side, 0, 0, 1, 7, 1, 1)
    coding = struct.pack(">HBBHBBBBBB", 12, 0, 0, 1, 0, 5, 4, 4, 0, 1)
    quantisation = b"\xff\x5c" + struct.pack(">HB", 19, 0x40) + bytes([0x48] * 16)
    tile = b"\xff\x90" + struct.pack(">HHIBB", 10, 0, 0, 0, 1) + b"\xff\x93" + bytes(64) + b"\xff\xd9"
    return b"\xff\x4f\xff\x51" + size + b"\xff\x52" + coding + quantisation + tile


def jbig2(side: int) -> bytes:
    """Page information and a generic region of that size; ISO 14492, 7.4."""
    information = struct.pack(">IBBI", 0, 48, 1, 19) + struct.pack(">IIIIBH", side, side, 0, 0, 0, 0)
    region = struct.pack(">IIIIB", side, side, 0, 0, 0) + b"\x00" + bytes.fromhex("03fffdff02fefefe")
    data = region + bytes(64)
    return information + struct.pack(">IBBI", 1, 38, 1, len(data)) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, pixels: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", pixels or zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body + chunk(b"IEND", b"")


def tiff(*pages: Iterable[tuple[int, int, int, int]], loop: bool = False) -> bytes:
    """A directory of (tag, type, count, value) for each page; the last one leads to none, or to itself."""
    out = bytearray(b"II*\x00" + struct.pack("<I", 8))
    for number, entries in enumerate(pages, 1):
        place, listed = len(out), list(entries)
        out += struct.pack("<H", len(listed)) + b"".join(struct.pack("<HHII", *each) for each in listed)
        last = number == len(pages)
        out += struct.pack("<I", (place if loop else 0) if last else len(out) + 4)
    return bytes(out)


def plain(
    width: int = 8, height: int = 8, compression: int = 1, strip: int = 64
) -> list[tuple[int, int, int, int]]:
    """The tags of a grey page whose pixels are the file's own first bytes."""
    return [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression)),
        *((262, 3, 1, 1), (273, 4, 1, 0), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, strip)),
    ]


def photo(kind: str, frames: int = 1) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    more = (
        {"save_all": True, "append_images": [Image.fromarray(255 - noise)] * (frames - 1)}
        if frames > 1
        else {}
    )
    Image.fromarray(noise).save(out, kind, **more)
    return out.getvalue()


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose frame header tells other sides."""
    data = bytearray(photo("JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def ole(*streams: str) -> bytes:
    """As much of a compound file as tells what it is: its directory of names."""
    names = b"".join((name + "\0").encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *streams))
    return bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504) + names.ljust(4096, b"\0")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9" height="9"/></svg>'

FINE = None  # read to its end, as if it were good: there is no harm in it
# Name → what it is, and how it may end.
DOCUMENTS: dict[str, tuple[Build, set[str | None]]] = {
    "empty.pdf": (lambda: b"", {e.FILE_EMPTY}),
    "text.pdf": (lambda: b"hello", {e.FILE_NOT_SUPPORTED}),
    "head-only.pdf": (lambda: b"%PDF-1.7\n", {e.FILE_DAMAGED}),
    "zeros.pdf": (lambda: b"%PDF-1.7\n" + bytes(100_000), {e.FILE_DAMAGED}),
    "half.pdf": (lambda: half(sheet(20)), {e.FILE_DAMAGED}),
    "locked-rc4.pdf": (lambda: locked(2), {e.FILE_ENCRYPTED}),
    "locked-aes.pdf": (lambda: locked(6), {e.FILE_ENCRYPTED}),
    "no-pages.pdf": (lambda: pdf(CATALOGUE, b"<< /Type /Pages /Kids [] /Count 0 >>"), {e.FILE_EMPTY}),
    "new.pdf": (new_pdf, {e.FILE_EMPTY}),
    "count-lies.pdf": (
        lambda: pdf(CATALOGUE, b"<< /Type /Pages /Kids [] /Count 2147483647 >>"),
        {e.FILE_EMPTY, e.FILE_DAMAGED, e.TOO_MANY_PAGES},
    ),
    "count-a-million.pdf": (
        lambda: pdf(CATALOGUE, b"<< /Type /Pages /Kids [] /Count 1000000 >>"),
        {e.FILE_EMPTY, e.FILE_DAMAGED, e.TOO_MANY_PAGES},
    ),
    "pages-in-a-ring.pdf": (
        lambda: pdf(CATALOGUE, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 3 >>"),
        {e.FILE_DAMAGED},
    ),
    "table-in-a-ring.pdf": (table_in_a_ring, {NOT_A_SHEET}),
    "deep-arrays.pdf": (lambda: pdf(CATALOGUE, b"[" * 200_000 + b"]" * 200_000), {e.FILE_EMPTY}),
    "too-many-pages.pdf": (lambda: many_pages(3000), {e.TOO_MANY_PAGES}),
    "huge-page.pdf": (
        lambda: page(b"0 0 9 9 re f", b"", entries=b"/UserUnit 10000").replace(b"595 842", b"14400 14400"),
        {NOT_A_SHEET},
    ),
    "endless-page.pdf": (
        lambda: page(b"", b"").replace(b"595 842", b"1e30 1e30"),
        {NOT_A_SHEET, e.FILE_DAMAGED},
    ),
    "no-area.pdf": (lambda: page(b"", b"").replace(b"595 842", b"0 0"), {NOT_A_SHEET, e.FILE_DAMAGED}),
    "line-page.pdf": (
        lambda: page(b"", b"").replace(b"595 842", b"0.001 14400"),
        {NOT_A_SHEET, e.FILE_DAMAGED},
    ),
    "deflate-bomb-picture.pdf": (
        lambda: picture_in_pdf(
            zeros(2 << 30),
            b"/Width 46000 /Height 46000 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode",
        ),
        {NOT_A_SHEET},
    ),
    "jpx-bomb.pdf": (
        lambda: picture_in_pdf(jpx(60_000), b"/Width 60000 /Height 60000 /Filter /JPXDecode"),
        {NOT_A_SHEET, e.TASK_OUT_OF_MEMORY},
    ),
    "jbig2-bomb.pdf": (
        lambda: picture_in_pdf(
            jbig2(65_000),
            b"/Width 65000 /Height 65000 /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /JBIG2Decode",
        ),
        {NOT_A_SHEET, e.TASK_OUT_OF_MEMORY},
    ),
    "script.pdf": (
        lambda: page(b"", b"", entries=b"/AA << /O << /S /JavaScript /JS (while\\(1\\);) >> >>"),
        {NOT_A_SHEET},
    ),
    "launch.pdf": (
        lambda: page(b"", b"", entries=b"/AA << /O << /S /Launch /F (/bin/sh) >> >>"),
        {NOT_A_SHEET},
    ),
    "png-and.pdf": (lambda: png(9, 9) + sheet(20), {e.FILE_TYPE_MISMATCH}),
    "zip-and.pdf": (lambda: b"PK\x03\x04" + bytes(26) + sheet(20), {e.FILE_TYPE_MISMATCH}),
    "page-and.pdf": (lambda: b"<html><script>alert(1)</script>\n" + sheet(20), {e.FILE_TYPE_MISMATCH}),
    "program-and.pdf": (lambda: b"#!/bin/sh\nexit\n" + sheet(20), {e.FILE_TYPE_MISMATCH}),
    "picture.pdf": (lambda: photo("PNG"), {NOT_A_SHEET}),
    "document.png": (lambda: sheet(20), {FINE}),
    "hangul.pdf": (lambda: ole("FileHeader", "DocInfo"), {e.FILE_NOT_SUPPORTED}),
    "program.pdf": (lambda: b"\x7fELF" + bytes(500), {e.FILE_NOT_SUPPORTED}),
    "drawing.svg": (lambda: SVG, {e.FILE_NOT_SUPPORTED}),
    "drawing.png": (lambda: SVG, {e.FILE_NOT_SUPPORTED}),
    "animation.gif": (lambda: photo("GIF", 3), {NOT_A_SHEET}),
    "half.gif": (lambda: half(photo("GIF")), {NOT_A_SHEET, e.FILE_DAMAGED}),
    "huge.gif": (
        lambda: b"GIF89a" + struct.pack("<HH", 65535, 65535) + half(photo("GIF"))[10:],
        {e.PAGE_TOO_LARGE},
    ),
    "half.avif": (lambda: half(photo("AVIF")), {e.FILE_DAMAGED, e.FILE_NOT_SUPPORTED}),
    "half.jp2": (lambda: half(photo("JPEG2000")), {NOT_A_SHEET, e.FILE_DAMAGED}),
    "bomb.jp2": (lambda: jpx(60_000), {e.PAGE_TOO_LARGE, e.FILE_DAMAGED, e.TASK_OUT_OF_MEMORY}),
    "bomb-within-limits.jp2": (lambda: jpx(8_000), {NOT_A_SHEET, e.FILE_DAMAGED, e.TASK_OUT_OF_MEMORY}),
    "postscript.jpg": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n{} loop\n", {e.FILE_NOT_SUPPORTED}),
    "film.heic": (lambda: b"\x00\x00\x00\x18ftypisom" + bytes(500), {e.FILE_NOT_SUPPORTED}),
    "144-megapixels.png": (lambda: png(12_000, 12_000, pixels=zeros(138 << 20)), {e.PAGE_TOO_LARGE}),
    "3600-megapixels.png": (lambda: png(60_000, 60_000), {e.PAGE_TOO_LARGE}),
    "no-end.png": (lambda: png(2**31 - 1, 2**31 - 1), {e.PAGE_TOO_LARGE, e.FILE_DAMAGED}),
    "text-bomb.png": (
        lambda: png(9, 9, *[chunk(b"zTXt", b"k\0\0" + zeros(50 << 20))] * 20),
        {e.FILE_DAMAGED},
    ),
    "profile-bomb.png": (lambda: png(9, 9, chunk(b"iCCP", b"k\0\0" + zeros(1 << 30))), {e.FILE_DAMAGED}),
    "half.png": (lambda: half(photo("PNG")), {e.FILE_DAMAGED}),
    "half.jpg": (lambda: half(photo("JPEG")), {e.FILE_DAMAGED}),
    "half.webp": (lambda: half(photo("WEBP")), {e.FILE_DAMAGED, e.FILE_NOT_SUPPORTED}),
    "half.heic": (lambda: half(photo("HEIF")), {e.FILE_DAMAGED, e.FILE_NOT_SUPPORTED}),
    "4000-megapixels.jpg": (lambda: jpeg_of(65_000, 65_000), {e.PAGE_TOO_LARGE, e.FILE_DAMAGED}),
    "line.jpg": (lambda: jpeg_of(65_000, 1), {NOT_A_SHEET, e.FILE_DAMAGED, e.TASK_CRASHED}),
    "animation.webp": (lambda: photo("WEBP", 3), {NOT_A_SHEET}),
    "ring.tif": (lambda: tiff(plain(), loop=True), {NOT_A_SHEET, e.FILE_DAMAGED}),
    "too-many-pages.tif": (lambda: tiff(*[plain()] * 3000), {e.TOO_MANY_PAGES}),
    "100000-pages.tif": (lambda: tiff(*[plain()] * 100_000), {e.TOO_MANY_PAGES}),
    "huge.tif": (lambda: tiff(plain(200_000, 200_000)), {e.PAGE_TOO_LARGE}),
    "huge-lzw.tif": (lambda: tiff(plain(8_900, 8_900, 5)), {e.FILE_DAMAGED}),
    "strip-lies.tif": (lambda: tiff(plain(strip=2**32 - 1)), {NOT_A_SHEET, e.FILE_DAMAGED}),
    "tag-lies.tif": (lambda: tiff([*plain(), (270, 2, 2**31, 8)]), {NOT_A_SHEET, e.FILE_DAMAGED}),
    "huge.bmp": (
        lambda: b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, 2**30, 2**30, 1, 8, 1, 0, 0, 0, 0, 0),
        {e.PAGE_TOO_LARGE, e.FILE_DAMAGED},
    ),
}

# Nobody can tell before what these take: limits end them.
BOMBS: dict[str, Build] = {
    "deflated-four-times.pdf": lambda: page(b"", b"").replace(
        stream(b""),
        stream(zeros(8 << 30, 4), b"/Filter [/FlateDecode /FlateDecode /FlateDecode /FlateDecode]"),
    ),
    "forms-in-a-ring.pdf": lambda: page(
        b"/F Do",
        b"/XObject << /F 5 0 R >>",
        stream(b"/F Do /F Do", b"/Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >>"),
    ),
    "laughs.pdf": lambda: forms(9, 60),
}
