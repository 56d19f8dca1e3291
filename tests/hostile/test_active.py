"""A searchable PDF does nothing but show its pages, whatever the upload did."""

import io
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image

from activities.ai.tasks.ocr.output import over_original
from tests.hostile.active import ACTIVE, active, link, note
from tests.hostile.documents import stream


def made_passive(source: bytes, folder: Path) -> tuple[bytes, dict[str, int]]:
    """The searchable PDF, every object of it in plain sight, and what was taken out."""
    original, parts, out = folder / "source.pdf", folder / "parts.pdf", folder / "out.pdf"
    original.write_bytes(source)
    with pikepdf.new() as empty:
        empty.add_blank_page(page_size=(595, 842))
        empty.save(parts)
    page = {"page": 1, "layer": "none", "turned": 0, "lines": [{"own": False}]}
    removed = over_original(original, [page], parts, out)
    plain = io.BytesIO()
    with pikepdf.open(out) as made:
        made.save(
            plain,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            stream_decode_level=pikepdf.StreamDecodeLevel.all,
            compress_streams=False,
        )
    return plain.getvalue(), removed


@pytest.mark.parametrize("name", ACTIVE)
def test_nothing_of_it_is_left(tmp_path: Path, name: str) -> None:
    build, evil, counted = ACTIVE[name]
    source = build()
    try:
        plain, removed = made_passive(source, tmp_path)
    except pikepdf.PdfError:  # then there is no searchable PDF, and the result says so
        return
    assert evil not in plain, plain
    for word in (b"/JavaScript", b"/JS", b"/OpenAction", b"/AA", b"/Launch", b"/EmbeddedFile", b"/XFA"):
        assert word not in plain
    assert not counted or removed.get(counted), removed


def test_links_that_only_show_something_stay(tmp_path: Path) -> None:
    for address in (
        b"https://example.com/a",
        b"http://example.com",
        b"mailto:a@example.com",
        b"tel:021234567",
    ):
        plain, removed = made_passive(active(b"", link(b"/S /URI /URI (%b)" % address)), tmp_path)
        assert address in plain and not removed
    plain, removed = made_passive(active(b"", link(b"/S /GoTo /D [3 0 R /Fit]")), tmp_path)
    assert b"/GoTo" in plain and not removed


def test_what_was_filled_in_is_still_seen(tmp_path: Path) -> None:
    """The look of a field is part of its page, whose script is gone."""
    look = stream(b"0 g 0 0 50 50 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 50 50]")
    field = note(
        b"/Subtype /Widget /FT /Tx /T (x) /F 4 /AP << /N 5 0 R >> /AA << /K << /S /JavaScript /JS (x) >> >>"
    )
    plain, removed = made_passive(active(b"/AcroForm << /Fields [] >>", field, look), tmp_path)
    assert removed and b"/Widget" not in plain
    page = pdfium.PdfDocument(tmp_path / "out.pdf")[0]
    picture: Image.Image = page.render().to_pil().convert("L")
    assert picture.getpixel((25, 842 - 25)) == 0 and picture.getpixel((300, 300)) == 255
