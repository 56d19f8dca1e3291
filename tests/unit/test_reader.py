"""The line reader: what it reads, how sure it is of it, and who is asked when it is not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from activities.ai.tasks.ocr import detector, engine, reader, tesseract, weighing
from activities.ai.tasks.ocr.circled import rings, sign
from activities.ai.tasks.ocr.letters import LETTERS
from activities.ai.tasks.ocr.reader import Letter
from activities.ai.tasks.ocr.strips import strip_of
from activities.ai.tasks.ocr.weighing import Guess, weighed, words_of
from bench.ocr_pages import FONT, SENTENCES, SIZE

HALF_SURE = weighing.ASK - 10


def paper(*lines, size=SIZE, width=1500, ink=0, ground=255):
    """The lines, one below the other, and a quadrilateral around each, as loose as a detector's."""
    sheet = Image.new("L", (width, 60 + 2 * size * len(lines)), ground)
    pen, font, quads = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, size), []
    for number, line in enumerate(lines):
        place = (60, 30 + 2 * size * number)
        pen.text(place, line, fill=ink, font=font)
        left, top, right, bottom = pen.textbbox(place, line, font=font)
        loose = size / 4
        low, high = (left - loose, top - loose), (right + loose, bottom + loose)
        quads.append(np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float32))
    return np.array(sheet), quads


def circled(pen, place, inside):
    """A sign that the font need not have, and the box that it fills."""
    x, y = place
    font = ImageFont.truetype(FONT, SIZE // 2)
    pen.ellipse((x, y, x + SIZE, y + SIZE), outline=0, width=2)
    left, top, right, bottom = pen.textbbox((0, 0), inside, font=font)
    pen.text(
        (x + SIZE / 2 - (left + right) / 2, y + SIZE / 2 - (top + bottom) / 2), inside, fill=0, font=font
    )


def test_the_letters_are_those_of_the_model():
    """Another order of the letters, and every word is another one."""
    assert len(LETTERS) == len(set(LETTERS)) == reader._session().get_outputs()[0].shape[2]
    assert reader.fingerprint() in engine.fingerprint()


@pytest.mark.parametrize(
    "line",
    [
        *SENTENCES[:2],
        "The library opens at nine and a woman reads people.",
        "옳은 것과 옳지 않은 것",
        "① 010-2847-1935 ② 3,141,592원 ③ 87.5%",
    ],
)
def test_no_alphabet_is_forced_on_a_line(line):
    page, quads = paper(line)
    [found] = engine.read(page, quads)
    assert found.text == line
    assert found.confidence > 95


@pytest.mark.parametrize("kind", ["light on dark", "small", "framed", "a rule above"])
def test_a_line_is_cut_to_its_letters(kind):
    line, size = "점수 87 제출", 20 if kind == "small" else SIZE
    page, quads = paper(line, size=size, **({"ink": 230, "ground": 30} if kind == "light on dark" else {}))
    (left, top), (right, bottom) = quads[0][0].astype(int), quads[0][2].astype(int)
    if kind == "framed":  # as a detector finds a short cell: twice as high as its letters
        page[top - 24 : bottom + 26, left - 12] = page[top - 24, left - 12 : right + 400] = 0
        page[bottom + 24 : bottom + 27, left - 12 : right + 400] = 0
        quads = [quads[0] + np.array([[-6, -22], [6, -22], [6, 22], [-6, 22]], np.float32)]
    elif kind == "a rule above":
        page[top - 4 : top, left - 60 : right + 60] = 0
    [found] = engine.read(page, quads)
    assert found.text == line
    truth = paper(line, size=size)[1][0]
    for word in (found.words[0], found.words[-1]):
        assert truth[0][0] - 8 <= word.box[0] < word.box[2] <= truth[2][0] + 8
        assert truth[0][1] - 8 <= word.box[1] < word.box[3] <= truth[2][1] + 8


def letters(text, share=1.0):
    return [Letter(letter, share, 10.0 * place + 5) for place, letter in enumerate(text)]


def test_a_word_is_as_sure_as_its_least_sure_letter():
    line = [*letters("가을이 되자")]
    line[1] = Letter("을", 0.5, 15.0)
    first, second = words_of(line, 60)
    assert (first.text, second.text) == ("가을이", "되자")
    assert first.confidence == weighing.of_reader(0.5) < second.confidence == weighing.of_reader(1.0)
    assert (first.left, first.right, second.left, second.right) == (0, 35, 35, 60)


def guess(text, confidence, left):
    return Guess(text, confidence, left, left + 50)


SURE, UNSURE = guess("우리는", 99, 0), guess("10339", HALF_SURE, 100)


def test_what_another_reads_the_same_is_surer():
    chosen = weighed([SURE, UNSURE], [[guess("우리논", 99, 0), guess("10339", 50, 98)], []])
    assert [each.text for each in chosen] == ["우리는", "10339"]
    assert chosen[1].confidence == weighing.AGREED >= weighing.ASK


def test_what_another_reads_otherwise_stays_in_doubt():
    """However sure it is of itself: the two have seen the same."""
    for confidence in (30, 100):
        chosen = weighed([SURE, UNSURE], [[], [guess("library", confidence, 101)]])
        assert chosen[0] == SURE
        assert chosen[1].confidence < weighing.DOUBT
    assert weighed([], [[guess("가", 95, 3)]])[0].confidence < weighing.DOUBT, "one saw nothing"
    assert weighed([], [[], []]) == []


def test_tesseract_is_asked_about_unsure_lines_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(tesseract, "read", lambda strip, languages: asked.append(languages) or [])
    page, quads = paper(SENTENCES[0])
    engine.read(page, quads)
    assert asked == []
    smeared = np.full_like(page, 255)
    smeared[:, ::9] = page[:, ::9]
    engine.read(smeared, quads)
    assert asked == ["kor", "kor+eng"]


@pytest.mark.parametrize("inside", ["1", "4", "16", "19", "가", "나", "a", "b"])
def test_circled_signs_are_told_by_what_stands_in_them(inside):
    page, quads = paper("     도서관에서")
    sheet = Image.fromarray(page)
    circled(ImageDraw.Draw(sheet), (60, 34), inside)
    page = np.array(sheet)
    assert len(rings(strip_of(page, quads[0]).pixels)) == 1
    assert engine.read(page, quads)[0].words[0].text == sign(inside)


def test_other_rings_are_no_signs():
    assert [sign(each) for each in ("1", "20", "ㄱ", "가", "a", "51", "")] == [*"①⑳㉠㉮ⓐ", None, None]
    for line, count in (("응애 오이 @ 0 o", 0), ("① 이응 ② 응애 ⑤ o0@", 3)):
        page, quads = paper(line)
        assert len(rings(strip_of(page, quads[0]).pixels)) == count


def test_a_sign_that_the_reader_does_not_know_is_doubted():
    inside = letters("g", 0.99)
    [found] = engine._with_sign([Letter("⑨", 0.9999, 10.0)], 0.0, 20.0, inside)
    assert found.text == "ⓖ" and weighing.of_reader(found.share) < weighing.ASK


@pytest.mark.parametrize("size", [25, 32, SIZE])
def test_small_letters_are_looked_for_at_a_larger_scale(size, monkeypatch):
    looked = []
    real = detector._detect
    monkeypatch.setattr(detector, "_detect", lambda page, scale: looked.append(scale) or real(page, scale))
    sheet = Image.new("L", (2480, 3508), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, size)
    rows = range(100, 1500, 2 * size)
    for number, y in enumerate(rows):
        pen.text((200, y), SENTENCES[number % len(SENTENCES)], fill=0, font=font)
    assert len(detector.detect(np.array(sheet))) == len(rows)
    assert len(looked) == (1 if size == SIZE else 2)
