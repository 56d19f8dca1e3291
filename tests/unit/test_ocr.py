"""Recognition of pages with known text, and the files that people get of it."""

import json
import re
import unicodedata

import cv2
import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from activities.ai.pages import load
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.ocr import layer, tesseract_cli
from activities.ai.tasks.ocr.output import joined
from activities.ai.tasks.ocr.task import OCR, PLAIN_OCR, RESULT
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


def read(source, folder, task=OCR):
    """As a worker does it, without its child."""
    results = []
    for unit in task.plan(source, {}):
        (folder / unit).mkdir()
        results.append((unit, json.loads(json.dumps(task.run(source, unit, {}, folder / unit)))))
    return results


def recognised(source, folder, task=OCR):
    out = folder / "out"
    out.mkdir()
    return task.assemble(source, read(source, folder, task), parameters={}, units=folder, out=out), out


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A page read: its file, its folder, its results."""
    folder = tmp_path_factory.mktemp("plain")
    source = folder / "page.png"
    paper().save(source)
    return source, folder, read(source, folder)


def error_rate(truth, text):
    """Levenshtein distance per letter of the truth, both without white space."""
    truth, text = ("".join(unicodedata.normalize("NFC", each).split()) for each in (truth, text))
    return Levenshtein.distance(truth, text) / len(truth)


def test_a_page_and_its_files(plain, tmp_path):
    source, folder, results = plain
    done, out = OCR.assemble(source, results, parameters={}, units=folder, out=tmp_path), tmp_path
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


def test_pages_that_the_release_before_has_read_are_assembled(plain, tmp_path):
    """Units are kept, and a job may be planned by one release and ended by another."""
    source, folder, [(unit, result)] = plain
    assert result["engine"] == OCR.fingerprint(), "each page names what has read it"
    old = {key: result[key] for key in ("width", "height", "turned", "detected", "layer")}
    old["lines"] = [{k: v for k, v in line.items() if k != "doubted"} for line in result["lines"]]
    old["lines"][2] |= {"confidence": 31.0}
    done = OCR.assemble(source, [(unit, old)], parameters={}, units=folder, out=tmp_path)
    assert done.review == ("page 1: 1 lines are uncertain: 3",)


def test_the_pdf_can_be_searched_and_looks_like_the_page(plain, tmp_path):
    source, folder, results = plain
    OCR.assemble(source, results, parameters={}, units=folder, out=tmp_path)
    document = pdfium.PdfDocument(tmp_path / "searchable.pdf")
    page = document[0]
    found = page.get_textpage().search("은행나무").get_next()
    assert found is not None
    picture = page.render(scale=1400 / page.get_width(), grayscale=True).to_numpy()
    assert abs(picture.astype(int) - np.array(paper())).mean() < 5
    document.close()


@pytest.mark.parametrize("degrees", [90, 180])
def test_pages_on_their_side_are_turned(degrees, tmp_path):
    source = tmp_path / "page.png"
    paper(LINES[::3]).rotate(degrees, expand=True).save(source)
    _, out = recognised(source, tmp_path)
    assert error_rate("".join(LINES[::3]), (out / "text.txt").read_text()) < 0.05


def test_pages_of_a_tiff_and_lines_that_cannot_be_read(tmp_path):
    source = tmp_path / "pages.tif"
    paper().save(source, save_all=True, append_images=[Image.new("L", (300, 200), 255)])
    done, _ = recognised(source, tmp_path)
    assert done.summary["pages"] == 2
    assert [each for each in done.review if "page 2" in each], "an empty page is for a person to see"


def test_other_files_are_refused(tmp_path):
    source = tmp_path / "page.png"
    source.write_bytes(b"<svg" + bytes(50))
    with pytest.raises(BadInput) as refused:
        OCR.plan(source, {})
    assert refused.value.code == FILE_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("GIF", "a.gif"),
        ("AVIF", "a.avif"),
        ("JPEG2000", "a.jp2"),
        ("JPEG", "a.jfif"),
        ("PNG", "a.jpg"),
        ("PDF", "a.png"),
    ],
)
def test_the_content_decides_what_a_file_is(kind, name, tmp_path):
    paper().save(tmp_path / name, kind)
    assert OCR.plan(tmp_path / name, {}) == ["page-0001"]
    loaded = load(tmp_path / name, 0)
    assert loaded.mean() > 200 and loaded.min() < 60


@pytest.mark.parametrize("bits", [10, 12, 14, 16, 0])
def test_grey_of_more_than_eight_bits(bits, tmp_path):
    grey = np.array(paper()).astype(np.float32) / 255
    deep = (grey * (2**bits - 1)).astype(np.uint16) if bits else grey
    Image.fromarray(deep).save(tmp_path / "page.tif")
    assert np.abs(load(tmp_path / "page.tif", 0).astype(int) - np.array(paper())).max() <= 1


def document(folder, text=LINES, scanned=False, rotate=0):
    """The page as a PDF with text of its own: seen, or as another scanner put it below its picture."""
    pdfmetrics.registerFont(TTFont("gothic", str(FONT)))
    path, scale = folder / "page.pdf", 72 / 300
    canvas = Canvas(str(path), pagesize=(1400 * scale, 700 * scale))
    if scanned:
        canvas.drawImage(ImageReader(paper()), 0, 0, 1400 * scale, 700 * scale)
    for number, line in enumerate(text):
        words = canvas.beginText(100 * scale, (700 - 156 - 110 * number) * scale)
        words.setFont("gothic", SIZE * scale)
        words.setTextRenderMode(3 if scanned else 0)
        words.textOut(line)
        canvas.drawText(words)
    canvas.showPage()
    canvas.save()
    with pikepdf.open(path, allow_overwriting_input=True) as file:
        file.pages[0].rotate(rotate, relative=True)
        file.save(path)
    return path


def searched(path):
    """The text of a PDF's first page, and where 은행나무는 begins in it, in pixels at 300 dpi from the upper
    left corner."""
    file = pdfium.PdfDocument(path)
    page = file[0]
    text = page.get_textpage()
    left, bottom, _, _ = text.get_charbox(text.search("은행나무는").get_next()[0])
    words, height = text.get_text_bounded(), page.get_height()
    file.close()
    return words, (left * 300 / 72, (height - bottom) * 300 / 72)


PLACE = (335, 163)  # of 은행나무는, its lower left corner

OTHERS = ("zq xk wv jj qq", "abcdefg hijkl", "nonsense it is", "lorem ipsum")


@pytest.mark.parametrize(
    ("kind", "own", "kept"),
    [
        ({}, 4, "kept"),
        ({"rotate": 90}, 4, "kept"),
        ({"scanned": True, "text": LINES[:2]}, 2, "kept"),
        ({"scanned": True, "text": (), "rotate": 270}, 0, "none"),
        ({"scanned": True, "text": OTHERS}, 0, "rejected"),
    ],
    ids=["written", "written, on its side", "half a layer", "scanned, on its side", "a wrong layer"],
)
def test_a_pdf_keeps_its_pages_and_what_is_right_of_its_text(kind, own, kept, tmp_path):
    done, out = recognised(document(tmp_path, **kind), tmp_path)
    page = json.loads((out / RESULT).read_text())["pages"][0]
    assert (page["layer"], done.summary["own_lines"], page["detected"]) == (kept, own, 4)
    assert error_rate("".join(LINES), page["text"]) <= (0.05 if own < 4 else 0)
    words, place = searched(out / "searchable.pdf")
    assert error_rate("".join(LINES), words) <= 0.05, "each word once"
    assert place == pytest.approx(PLACE, abs=25)
    [word] = [word for line in page["lines"] for word in line["words"] if word["text"] == "은행나무는"]
    assert (word["box"][0], word["box"][3]) == pytest.approx(PLACE, abs=25)


def layered(folder, shown, hidden=(), cover=(), above=()):
    """A page of `shown` lines with text of its own: `hidden` (place, text) laid over them by another scanner,
    words `above` in colours of their own, and black bars."""
    pdfmetrics.registerFont(TTFont("gothic", str(FONT)))
    path, scale = folder / "page.pdf", 72 / 300
    canvas = Canvas(str(path), pagesize=(1400 * scale, 700 * scale))
    if hidden:
        canvas.drawImage(ImageReader(paper(shown)), 0, 0, 1400 * scale, 700 * scale)
    rows = [(100, 156 + 110 * n, line, 3 if hidden else 0, 0) for n, line in enumerate(hidden or shown)]
    for x, y, line, mode, grey in [*rows, *((x, y, text, 0, grey) for x, y, text, grey in above)]:
        words = canvas.beginText(x * scale, (700 - y) * scale)
        words.setFont("gothic", SIZE * scale)
        words.setTextRenderMode(mode)
        words.setFillGray(grey)
        words.textOut(line)
        canvas.drawText(words)
    canvas.setFillGray(0)
    for left, top, right, bottom in cover:
        canvas.rect(
            left * scale, (700 - bottom) * scale, (right - left) * scale, (bottom - top) * scale, 0, 1
        )
    canvas.showPage()
    canvas.save()
    return path


def page_of(source, folder, **parameters):
    """Its result, and why a person should look at it."""
    (folder / "page-0001").mkdir()
    (folder / "out").mkdir()
    result = json.loads(json.dumps(OCR.run(source, "page-0001", parameters, folder / "page-0001")))
    done = OCR.assemble(
        source, [("page-0001", result)], parameters=parameters, units=folder, out=folder / "out"
    )
    return result | {"text": (folder / "out" / "text.txt").read_text()}, done


NUMBERS = ("수학 87점 영어 94점", "전화 010-2847-1935", "도서관 3층에는 신문 2,450부가 있다.", "가을이 되자")


def test_a_guessed_layer_with_other_numbers_is_read_again(tmp_path):
    """Nine letters of ten are right, and most numbers wrong: as close as scanners come."""
    guessed = [line.replace("8", "6").replace("4", "1") for line in NUMBERS]
    page, done = page_of(layered(tmp_path, NUMBERS, hidden=guessed), tmp_path)
    assert (page["layer"], done.summary["own_lines"]) == ("rejected", 0)
    assert error_rate("".join(NUMBERS), page["text"]) == 0


def test_one_line_that_differs_is_doubted_and_what_is_seen_counts(tmp_path):
    other = (*NUMBERS[:1], "전화 010-2847-1936", *NUMBERS[2:])
    source = layered(tmp_path, NUMBERS)
    other_words = layered(tmp_path, other).rename(tmp_path / "other.pdf")
    source = layered(tmp_path, NUMBERS)
    words = layer.words_of(other_words, 0, 1400, 700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer, "words_of", lambda *_: words)
        page, done = page_of(source, tmp_path)
    assert page["layer"] == "kept" and done.summary["own_lines"] == 3
    assert error_rate("".join(NUMBERS), page["text"]) == 0
    assert done.review == ("page 1: 1 lines are uncertain: 2",)


UNSEEN = [(100, 650, "하얀 글자", 1), (2000, 300, "쪽 밖의 글자", 0), (120, 590, "검은 막대 밑", 0)]


@pytest.mark.parametrize("mode", ["auto", "redo", "force", "skip"])
def test_only_what_is_seen_counts_and_what_is_not_is_said(mode, tmp_path):
    source = layered(tmp_path, LINES[:3], above=UNSEEN, cover=[(90, 540, 500, 610)])
    page, done = page_of(source, tmp_path, layer=mode)
    assert error_rate("".join(LINES[:3]), page["text"]) < 0.05
    said = [each for each in done.review if "not to be seen" in each]
    if mode == "force":
        assert (page["layer"], done.summary["own_lines"], said) == ("rejected", 0, [])
    else:
        assert done.summary["own_lines"] == 3
        assert done.summary["left_out"] == sum(len(text.split()) for _, _, text, _ in UNSEEN)
        assert said == [f"page 1: {done.summary['left_out']} words of the file are not to be seen"]


@pytest.mark.parametrize(
    ("mode", "layer_", "own"),
    [("auto", "kept", 4), ("redo", "rejected", 0), ("force", "rejected", 0), ("skip", "skipped", 4)],
)
def test_what_another_scanner_left_is_kept_or_read_again(mode, layer_, own, tmp_path):
    page, done = page_of(layered(tmp_path, NUMBERS, hidden=NUMBERS), tmp_path, layer=mode)
    assert (page["layer"], done.summary["own_lines"]) == (layer_, own)
    assert error_rate("".join(NUMBERS), page["text"]) == 0


def test_questions_get_the_text_of_their_regions(plain, tmp_path):
    source, folder, results = plain
    regions = [
        {"x": 90, "y": 210, "w": 1200, "h": 100},
        {"x": 0.05, "y": 0.45, "w": 0.9, "h": 0.15},
        {"x": 0, "y": 0, "w": 20, "h": 20},
        {"left": 1},
        None,
    ]
    questions = [
        {"exam_question_id": f"q{n}", "number": n, "region_meta": each} for n, each in enumerate(regions, 1)
    ]
    done = OCR.assemble(source, results, parameters={"questions": questions}, units=folder, out=tmp_path)
    found = json.loads((tmp_path / RESULT).read_text())["questions"]
    assert [each["number"] for each in found] == [1, 2, 3]
    assert found[0]["text"].startswith("① 도서관") and "library opens" in found[1]["text"]
    assert [each.split(":")[0] for each in done.review] == ["question 3", "question 4"]


def test_the_plain_engine_drops_lines_but_not_silently(tmp_path, monkeypatch):
    whole_read = tesseract_cli.read
    monkeypatch.setattr(
        tesseract_cli, "read", lambda page: [line for line in whole_read(page) if "도서관" not in line.text]
    )
    source = tmp_path / "page.png"
    paper().save(source)
    done, out = recognised(source, tmp_path, task=PLAIN_OCR)
    assert done.summary["engine_used"] == "tesseract"
    text = (out / "text.txt").read_text()
    assert "The library opens" in text and "도서관" not in text
    assert "page 1: 1 of 4 lines could not be read" in done.review


def test_many_pages_become_one_pdf_with_few_files_open(tmp_path, monkeypatch):
    monkeypatch.setattr("activities.ai.tasks.ocr.output.JOINED", 2)
    parts = []
    for number in range(7):
        parts.append(tmp_path / f"{number}.pdf")
        canvas = Canvas(str(parts[-1]), pagesize=(100 + number, 100))
        canvas.showPage()
        canvas.save()
    joined(parts, tmp_path / "whole.pdf")
    with pikepdf.open(tmp_path / "whole.pdf") as whole:
        assert [int(page.mediabox[2]) for page in whole.pages] == list(range(100, 107))


def test_a_noisy_skewed_line_is_read(tmp_path):
    page = np.array(paper())
    turn = cv2.getRotationMatrix2D((700, 350), 1.5, 1.0)
    turned = cv2.warpAffine(page, turn, (1400, 700), borderValue=255)
    noisy = turned + np.random.default_rng(1).normal(0, 10, turned.shape)
    source = tmp_path / "page.png"
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(source)
    _, out = recognised(source, tmp_path)
    assert error_rate("".join(LINES), (out / "text.txt").read_text()) < 0.06
