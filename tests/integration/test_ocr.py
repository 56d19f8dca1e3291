"""OCR on a real exam page in two columns, by the real engine: what is read, and what people get of it."""

import json
import unicodedata
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein

from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.task import Assembled
from activities.ai.tasks.ocr.task import OCR
from tests.lab import SAMPLE

PAGE = SAMPLE.with_name("exam-page.png")
TRUTH = SAMPLE.with_name("exam-page.txt").read_text()


def plain(text: str, hangul: bool = False) -> str:
    letters = [each for each in unicodedata.normalize("NFC", text) if not each.isspace()]
    return "".join(each for each in letters if not hangul or "가" <= each <= "힣")


def error_rate(text: str, hangul: bool = False, truth: str = TRUTH) -> float:
    """Characters wrong, missing or too many, by those that there are; spaces do not count."""
    truth = plain(truth, hangul)
    return Levenshtein.distance(truth, plain(text, hangul)) / len(truth)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's first lines as a scanner gives them that was fed sideways, and a bit askew."""
    file = tmp_path_factory.mktemp("ocr") / "scan.png"
    column = Image.open(PAGE).convert("L").crop((0, 380, 1220, 1000))
    column.rotate(91.2, expand=True, fillcolor=255).save(file)
    return file


async def recognised(source: Path, folder: Path, task: str = "ocr") -> tuple[Assembled, Path]:
    """Through the sandbox, as a worker does it."""
    units, out = folder / "units", folder / "out"
    out.mkdir()
    results = []
    async with Sandbox(folder).open(task) as child:
        for unit in await child.plan(source, {}):
            (units / unit).mkdir(parents=True)
            results.append((unit, await child.run(source, unit, {}, units / unit)))
        return await child.assemble(source, results, parameters={}, units=units, out=out), out


async def test_a_page_in_two_columns(tmp_path: Path) -> None:
    done, out = await recognised(PAGE, tmp_path)
    text = (out / "text.txt").read_text()
    assert error_rate(text, hangul=True) <= 0.03
    assert error_rate(text) <= 0.05
    assert text.index("5. 한 변") < text.index("6. 주머니"), "one column after the other"
    assert done.summary["lines"] == len(TRUTH.splitlines())
    assert not done.review

    # The PDF can be searched, and its invisible words lie where the ink is.
    page = pdfium.PdfDocument(out / "searchable.pdf")[0]
    assert error_rate(page.get_textpage().get_text_bounded(), hangul=True) <= 0.03
    found = page.get_textpage().search("정삼각형의").get_next()
    assert found
    left, bottom, _, _ = page.get_textpage().get_charbox(found[0])
    words = [
        word
        for line in json.loads((out / "result.json").read_text())["pages"][0]["lines"]
        for word in line["words"]
    ]
    (word,) = [word for word in words if word["text"].startswith("정삼각형의")]
    assert left * 300 / 72 == pytest.approx(word["box"][0], abs=30)
    assert 3508 - bottom * 300 / 72 == pytest.approx(word["box"][3], abs=40)
    assert (out / "hocr.html").read_text().count('class="ocrx_word"') == len(words)
    assert Image.open(out / "overlay.png").width == 1200


async def test_a_page_that_lies_on_its_side(tmp_path: Path, turned: Path) -> None:
    _, out = await recognised(turned, tmp_path)
    assert json.loads((out / "result.json").read_text())["pages"][0]["turned"] == 270
    column = "".join(TRUTH.splitlines()[1:6])
    assert error_rate((out / "text.txt").read_text(), hangul=True, truth=column) <= 0.03


async def test_an_empty_page_is_for_a_person_to_look_at(tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", (400, 550), 255).save(blank)
    done, _ = await recognised(blank, tmp_path)
    assert done.review == ("page 1: no text was found",)


def test_a_file_that_is_another_than_it_says(tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(PAGE.read_bytes())
    assert OCR.plan(file, {}) == ["page-0001"]
