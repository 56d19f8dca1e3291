"""Recognition of pages with known text, and the files that people get of it."""

import json
import re
import unicodedata

import cv2
import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from activities.ai.ocr.circled import circled, take_out
from activities.ai.ocr.order import reading_order
from activities.ai.ocr.task import OCR, RESULT
from activities.ai.task import BadInput
from bench.ocr_pages import FONT, SIZE
from contracts.errors import FILE_NOT_SUPPORTED

LINES = (
    "가을이 되자 은행나무는 노란 잎을 내려놓았다.",
    "① 도서관 3층에는 신문 2,450부가 있다.",
    "⑲ The library opens at nine.",
    "강물은 산을 돌아 들판으로 흐른다.",
)


def paper(lines=LINES, top=120):
    sheet = Image.new("L", (1400, 700), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, SIZE)
    for number, line in enumerate(lines):
        pen.text((100, top + 110 * number), line, fill=0, font=font)
    return sheet


def recognised(source, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    results = [
        (unit, json.loads(json.dumps(OCR.run(source, unit, {}, out)))) for unit in OCR.plan(source, {})
    ]
    return OCR.assemble(source, results, {}, tmp_path, out), out


def error_rate(truth, text):
    """Levenshtein distance per letter of the truth, both without white space."""
    truth, text = ("".join(unicodedata.normalize("NFC", each).split()) for each in (truth, text))
    return Levenshtein.distance(truth, text) / len(truth)


def test_a_page_and_its_files(tmp_path):
    source = tmp_path / "page.png"
    paper().save(source)
    done, out = recognised(source, tmp_path)
    text = (out / "text.txt").read_text()
    assert error_rate("".join(LINES), text) < 0.05
    assert "①" in text and "⑲" in text
    assert re.search(r"가을이 되자 은행나무는", text), "spaces are those of the page"
    assert done.review == () and done.summary["pages"] == 1
    page = json.loads((out / RESULT).read_text())["pages"][0]
    assert page["detected"] == len(LINES) == len(page["lines"])
    left, top, right, bottom = page["lines"][0]["box"]
    assert abs(left - 100) < 25 and abs(top - 120) < 30 and right < 1300 and bottom < 200
    assert (out / "hocr.html").read_text().count("ocrx_word") >= sum(len(line.split()) for line in LINES)
    assert max(Image.open(out / "overlay.png").getpixel((2, 2))) == 255


def test_the_pdf_can_be_searched_and_looks_like_the_page(tmp_path):
    source = tmp_path / "page.png"
    paper().save(source)
    _, out = recognised(source, tmp_path)
    document = pdfium.PdfDocument(out / "searchable.pdf")
    page = document[0]
    found = page.get_textpage().search("은행나무").get_next()
    assert found is not None
    picture = page.render(scale=1400 / page.get_width(), grayscale=True).to_numpy()
    assert abs(picture.astype(int) - np.array(paper())).mean() < 5
    document.close()


@pytest.mark.parametrize("degrees", [90, 180])
def test_pages_on_their_side_are_turned(degrees, tmp_path):
    source = tmp_path / "page.png"
    paper().rotate(degrees, expand=True).save(source)
    _, out = recognised(source, tmp_path)
    assert error_rate("".join(LINES), (out / "text.txt").read_text()) < 0.05


def test_pages_of_a_tiff_and_lines_that_cannot_be_read(tmp_path):
    source = tmp_path / "pages.tif"
    paper().save(source, save_all=True, append_images=[Image.new("L", (1400, 700), 255)])
    done, _ = recognised(source, tmp_path)
    assert done.summary["pages"] == 2
    assert [each for each in done.review if "page 2" in each], "an empty page is for a person to see"


def test_other_files_are_refused(tmp_path):
    source = tmp_path / "page.png"
    source.write_bytes(b"GIF89a" + bytes(50))
    with pytest.raises(BadInput) as refused:
        OCR.plan(source, {})
    assert refused.value.code == FILE_NOT_SUPPORTED


def strip(text):
    picture = Image.new("L", (900, 60), 255)
    ImageDraw.Draw(picture).text((8, 6), text, fill=0, font=ImageFont.truetype(FONT, SIZE))
    return np.array(picture)


def test_circled_numbers_are_told_from_other_rings():
    _, rings = take_out(strip("① 이응 ② 응애 ⑤ o0@©"))
    assert len(rings) == 3
    rest, rings = take_out(strip("응애 오이 @ 0 o"))
    assert rings == [] and (rest == strip("응애 오이 @ 0 o")).all()
    assert [circled(each) for each in ("1", "20", "21", "", "0")] == ["①", "⑳", None, None, None]


def test_columns_are_read_one_after_the_other_and_tables_across():
    title = (300, -50, 700, -20)
    left, right = ([(x, y, x + 390, y + 20) for y in range(0, 320, 40)] for x in (0, 600))
    mixed = [title, *(each for pair in zip(left, right, strict=True) for each in pair)]
    assert [mixed[each] for each in reading_order(mixed, 1000)] == [title, *left, *right]
    cells = [(x, y, x + 100, y + 20) for y in range(0, 120, 40) for x in (0, 250, 600, 850)]
    assert reading_order(cells, 1000) == list(range(12))


def test_a_noisy_skewed_line_is_read(tmp_path):
    page = np.array(paper())
    turn = cv2.getRotationMatrix2D((700, 350), 1.5, 1.0)
    turned = cv2.warpAffine(page, turn, (1400, 700), borderValue=255)
    noisy = turned + np.random.default_rng(1).normal(0, 10, turned.shape)
    source = tmp_path / "page.png"
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(source)
    _, out = recognised(source, tmp_path)
    assert error_rate("".join(LINES), (out / "text.txt").read_text()) < 0.06
