"""What a text message carries, and what is refused: by example and for every code point."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import (
    IMAGE_NOT_JPEG,
    IMAGE_TOO_LARGE,
    TEXT_NOT_ENCODABLE,
    VARIABLE_MISSING,
)
from rules.messaging.image import MAX_BYTES, check
from rules.messaging.template import Parsed, by_name, names
from rules.messaging.text import REPLACEMENTS, clean, clean_for_kakao, replaced, size
from rules.messaging.unsendable import Unsendable


def encodes(text: str) -> bool:
    try:
        text.encode("cp949")
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("3월 2일 – 개강 — 안내", "3월 2일 - 개강 - 안내"),
        ("• 국어\r\n• 수학\r", "· 국어\n· 수학\n"),
        ("이름\t점수\v다음", "이름 점수\n다음"),
        ("₩120,000", "￦120,000"),
        ("김\u00a0철수\u200b님\ufeff", "김 철수님"),
        ("Café Müller Nguyễn", "Cafe Muller Nguyen"),
        ("Cafe\u0301", "Cafe"),
        ("“인용” ‘말’…", "“인용” ‘말’…"),
        (unicodedata.normalize("NFD", "학원"), "학원"),
        ("☎\ufe0f 문의", "☎ 문의"),
        ("똠방각하 펲시", "똠방각하 펲시"),
        ("1 Å, 郎 \uf92c, 隸", "1 \u212b, \uf92c \uf92c, \uf9b8"),
    ],
)
def test_what_is_pasted_is_sent_so_that_it_encodes(written: str, sent: str) -> None:
    assert clean(written, "text") == sent
    assert encodes(sent)


@pytest.mark.parametrize(
    ("written", "character", "position"),
    [
        ("수업 시작 😀", "😀 U+1F600", 7),
        ("e\u0301e\u0301 –\r\n😀", "😀 U+1F600", 9),
        (unicodedata.normalize("NFD", "학원") + "😀", "😀 U+1F600", 7),
        ("x\u0301", "\u0301 U+0301", 2),
        ("ㄱ\u1161", "\u1161 U+1161", 2),
        ("𠮷野", "𠮷 U+20BB7", 1),
        ("종료\x00", "U+0000", 3),
        ("\x7f", "U+007F", 1),
        ("half \ud83d", "U+D83D", 6),
    ],
)
def test_a_character_that_cannot_be_sent_is_named_with_its_place(
    written: str, character: str, position: int
) -> None:
    with pytest.raises(Unsendable) as refusal:
        clean(written, "text")
    assert refusal.value.code == TEXT_NOT_ENCODABLE
    assert refusal.value.detail == {"field": "text", "character": character, "position": position}


def test_every_code_point_is_encodable_replaced_or_refused() -> None:
    # All of plane 0, the plane of emoji, and one of each kind further up.
    for code in (*range(0x10000), *range(0x1F000, 0x20000), 0x20BB7, 0xE0041, 0x10FFFF):
        character = chr(code)
        try:
            sent = clean(f"가{character}나", "text")
        except Unsendable as refusal:
            # A mark or jamo may join what is before it, never hide what is refused.
            assert refusal.detail["position"] == 2, hex(code)
            assert not encodes(replaced(character)) or unicodedata.category(character) == "Cc", hex(code)
        else:
            assert encodes(sent), hex(code)
            assert sent.startswith(("가", "각", "갂")) or "\u11a7" < character < "\u11c3", hex(code)


def test_the_table_leaves_alone_what_cp949_has() -> None:
    kept = {"\r", "\v", "\f", "\t", "\u00ad"}
    for characters, sent in REPLACEMENTS.items():
        assert encodes(sent)
        assert {character for character in characters if encodes(character)} <= kept


def test_the_documentation_prints_the_table() -> None:
    printed = (Path(__file__).parents[2] / "docs" / "messages.md").read_text("utf-8")
    for characters, sent in REPLACEMENTS.items():
        row = " ".join(f"U+{ord(c):04X}" if unicodedata.category(c)[0] in "CZM" else c for c in characters)
        target = {"\n": "line feed", " ": "space", "": "nothing"}.get(sent, sent)
        assert f"| {row} | {target} |" in printed


@given(st.text(st.characters(codec="cp949", exclude_categories=["Cc"])))
def test_size_is_the_length_in_cp949(text: str) -> None:
    sent = clean(text, "text")
    assert size(sent) == len(sent.encode("cp949"))
    assert clean(sent, "text") == sent


def test_euc_kr_would_count_wrongly() -> None:
    assert size("똠") == 2
    assert len("똠".encode("euc_kr")) == 8


pasted = st.text(st.sampled_from("가각ab1 \r\n\té\u0301\u1100\u1161\u11a8–•₩\u200b\ufe0f…")) | st.text()


@given(pasted, pasted)
def test_the_position_points_into_the_text_as_it_was_written(before: str, after: str) -> None:
    text = before + "😀" + after
    with pytest.raises(Unsendable) as refusal:
        clean(text, "text")
    position, character = int(refusal.value.detail["position"]), str(refusal.value.detail["character"])
    assert 1 <= position <= len(before) + 1
    named = chr(int(character.rpartition("U+")[2], 16))
    at = text[position - 1]
    assert named == at or named == unicodedata.normalize("NFC", text[position - 1 :])[0]
    # Whatever is before it is not what was refused.
    if position == len(before) + 1:
        assert named == "😀"


def test_kakao_takes_emoji_but_no_control_character() -> None:
    assert clean_for_kakao("안녕 😀\r\n–", "text") == "안녕 😀\n–"
    with pytest.raises(Unsendable):
        clean_for_kakao("a\x1b", "text")
    with pytest.raises(Unsendable):
        clean_for_kakao("\ud83d", "text")


def test_a_value_is_not_substituted_again() -> None:
    values = by_name({"#{이름}": "#{반}", " 반 ": "A"})
    assert Parsed("#{이름} #{ 반 }").fill(values, clean) == "#{반} A"


def test_a_refused_value_names_the_variable_and_not_the_value() -> None:
    with pytest.raises(Unsendable) as refusal:
        Parsed("#{이름}님").fill({"이름": "철수😀"}, clean)
    assert refusal.value.detail == {"field": "#{이름}", "character": "😀 U+1F600", "position": 3}
    assert "철수" not in str(refusal.value) + repr(refusal.value)


def test_variables_are_named() -> None:
    with pytest.raises(Unsendable) as missing:
        Parsed("#{이름}님").fill({"이름 ": "철수"}, clean)
    assert (missing.value.code, missing.value.detail) == (VARIABLE_MISSING, {"variable": "이름"})
    assert names(["#{이름}", "님 #{ 반 }"]) == {"이름", "반"}


def jpeg(width: int, height: int, padding: int = 0) -> bytes:
    before = b"\xff\xfe\x00\x04ok" + b"\xff\xc4\x00\x09" + b"\x7f" * 7  # a comment, a Huffman table
    frame = b"\xff\xc2\x00\x0b\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x01\x01\x11\x00"
    return b"\xff\xd8" + before + b"\xff" + frame + bytes(padding) + b"\xff\xd9"


def test_a_jpeg_within_the_limits_passes() -> None:
    check(jpeg(1500, 1440))
    check(jpeg(10, 10, MAX_BYTES - len(jpeg(10, 10))))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", IMAGE_NOT_JPEG),
        (b"\x89PNG\r\n\x1a\n", IMAGE_NOT_JPEG),
        (b"\xff\xd8\xff\xda" + bytes(50), IMAGE_NOT_JPEG),
        (jpeg(10, 0), IMAGE_NOT_JPEG),
        (jpeg(10, 10)[:14], IMAGE_NOT_JPEG),
        (jpeg(1501, 10), IMAGE_TOO_LARGE),
        (jpeg(10, 1441), IMAGE_TOO_LARGE),
        (jpeg(10, 10, MAX_BYTES), IMAGE_TOO_LARGE),
    ],
)
def test_other_images_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(Unsendable) as refusal:
        check(data)
    assert refusal.value.code == code


@given(st.binary(max_size=200))
def test_no_bytes_break_the_check(data: bytes) -> None:
    with pytest.raises(Unsendable):
        check(b"\xff\xd8" + data.replace(b"\xff", b"\xfe"))
