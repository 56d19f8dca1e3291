"""How texts are split and searches found: what a teacher types finds what was said, and nothing beside it."""

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.captions.cues import Cue
from rules.captions.writing import WHOLE, files
from rules.search.finding import Query, _pattern
from rules.search.passages import AROUND, MOST_SHOWN, Passage, cues, hits, pages
from rules.search.words import folded, pieces, units

FOUND = [
    ("학교", "오늘은 학교에서 배웁니다"),  # a particle
    ("학교에서", "오늘은 학교에서 배웁니다"),
    ("학교", "대학교 입시"),
    ("이차방정식", "이차 방정식을 풀어 봅시다"),
    ("이차 방정식", "이차방정식의 근"),
    ("이차 방정식", "방정식 가운데 이차 인 것"),
    ("근의공식", "근의\n공식"),
    ("각", "각도를 재고"),  # one sign: where a word begins
    ("각", "이 각 은"),
    ("x축", "x축과 만나는 점"),
    ("x축", "X 축"),
    ("3학년", "중학교 3학년"),
    ("제3항", "수열의 제3항"),
    ("HLS", "hls는 무엇인가"),
    ("hls", "ＨＬＳ"),
    ("function", "two Functions of x"),  # how it begins
    ("don't", "I don’t know"),
    ("STRASSE", "Straße"),
    ("été", "e\u0301te\u0301"),
    ("1024", "모두 1,024개"),
    ("1,024", "모두 1024개"),
    ("3.14", "π는 3.14이다"),
    ("2026", "2026학년도"),
    ("광합성", unicodedata.normalize("NFD", "식물의 광합성")),
    (unicodedata.normalize("NFD", "광합성"), "식물의 광합성"),
    ("방정식", "방정\u200b식"),  # a joiner that nobody sees
    ("x²", "y = x² + 1"),
    ("H2O", "물은 H₂O"),
    ("數學", "數學의 정석"),
    ("のは", "これのは"),
    ("ｶﾞク", "ｶﾞ ク"),  # half as wide, its mark apart
    ("ㄱ", "ㄱ, ㄴ, ㄷ 가운데"),
    ("π", "Π는 원주율"),
    ("한국어 영어", "영어와 한국어"),
    ("c++", "C 언어와 c"),
]
NOT_FOUND = [
    ("어학", "한국어 학교"),  # over a space, from within a word
    ("교학", "학교"),
    ("각", "생각하다"),
    ("학교 시험", "학교에서" + " 아무 말이나 하다가" * 40 + " 시험"),  # far from each other
    ("cat", "concat"),
    ("ca", "category"),  # two letters are a word
    ("24", "1,024"),
    ("12", "123"),
    ("12", "312"),
    ("3.14", "314"),
    ("방정식", "방정 이 식"),
    ("3학년", "13학년"),
    ("수학", "수 x 학"),
]


SIGNS = "가각나학교에서 이차방정식abcABC 012 ,.'\n-½㎏①²ßﬁ"


def has(query: str, text: str) -> bool:
    """Both by its pieces, as the index looks, and by where it stands."""
    asked = Query(query)
    found = bool(asked.find(folded(text)))
    assert not found or asked.pieces() <= pieces(text), "the index would not have it"
    return found and asked.pieces() <= pieces(text)


@pytest.mark.parametrize(("query", "text"), FOUND)
def test_it_is_found(query: str, text: str) -> None:
    assert has(query, text)


@pytest.mark.parametrize(("query", "text"), NOT_FOUND)
def test_it_is_not_found(query: str, text: str) -> None:
    assert not has(query, text)


@given(
    st.text(alphabet=SIGNS, max_size=60),
    st.data(),
)
def test_what_stands_in_a_text_is_found_there(text: str, data: st.DataObject) -> None:
    """Any word of it, and several in a row as they stand."""
    words = folded(text).shown.split()
    if not words:
        return
    first = data.draw(st.integers(0, len(words) - 1))
    query = " ".join(words[first : first + data.draw(st.integers(1, 3))])
    if len(query) <= 40 and Query(query):
        assert has(query, text), (query, text)


@given(st.text(alphabet=SIGNS, max_size=6), st.text(alphabet=SIGNS, max_size=40))
def test_nothing_is_found_that_the_index_would_miss(query: str, text: str) -> None:
    asked = Query(query)
    for start, end in asked.find(folded(text)):
        assert 0 <= start < end <= len(folded(text).shown)
        assert asked.pieces() <= pieces(text)


@given(st.text(alphabet="가나다", min_size=2, max_size=4), st.text(alphabet="가나다 ..\n_a1", max_size=25))
def test_syllables_are_found_as_their_pattern_says(word: str, text: str) -> None:
    signs = list(units(word))
    expected = [match.span() for match in re.finditer(_pattern(signs), text)]
    assert [tuple(each) for each in Query(word).find(folded(text))] == expected


@pytest.mark.parametrize("nothing", ["", "   ", "?!…", "\u200b", "_"])
def test_signs_alone_are_no_search(nothing: str) -> None:
    assert not Query(nothing)
    assert Query(nothing).find(folded("아무 말이나")) == []


def test_a_cue_is_found_at_its_time_with_the_words_around() -> None:
    said = [
        Cue(0, 2000, "안녕하세요"),
        Cue(61_500, 64_000, "오늘은 <b>이차</b>"),
        Cue(64_000, 66_000, "방정식 &amp; 근의\n공식"),
        Cue(3_600_000, 3_601_000, "a &lt; b", "align:start"),
    ]
    passages = list(cues(files(said, 3_700_000)[WHOLE]))
    assert passages[1:] == [
        Passage(61_500, "오늘은 이차"),
        Passage(64_000, "방정식 & 근의\n공식"),
        Passage(3_600_000, "a < b"),
    ]
    (hit,) = hits(passages, Query("이차방정식"), across=True).shown
    assert hit == (61_500, "안녕하세요 오늘은 ", "이차 방정식", " & 근의 공식 a < b")
    assert [hit.place for hit in hits(passages, Query("공식"), across=True).shown] == [64_000]


def test_a_page_shows_its_own_words_and_no_more_places_than_fit() -> None:
    text = "\n\f\n".join(["첫 쪽", "둘째 쪽 " + "광합성 하는 잎 " * 20, "셋째"])
    found = hits(list(pages(text)), Query("광합성"), across=False)
    assert found.places == 20 and len(found.shown) == MOST_SHOWN
    first = found.shown[0]
    assert (first.place, first.before, first.found) == (2, "둘째 쪽 ", "광합성")
    assert first.after.endswith("…") and len(first.after) <= AROUND + 1


def test_signs_that_become_several_do_not_move_what_is_shown() -> None:
    (hit,) = hits([Passage(1, "½ ㎏ ﬁne ① 광합성 ½")], Query("광합성"), across=False).shown
    assert (hit.before, hit.found, hit.after) == ("½ ㎏ ﬁne ① ", "광합성", " ½")


def test_a_hostile_text_costs_no_more_than_another() -> None:
    """Long runs of what stands between signs, and of the same sign."""
    for text in ("가" + " " * 20_000 + "나", "가 " * 10_000, "가" * 20_000, "a" * 20_000, "1," * 10_000):
        began = time.process_time()
        for query in ("가나다라마바사", "가 나 다", "aaaaaaaaab", "1111"):
            Query(query).find(folded(text))
        pieces(text)
        assert time.process_time() - began < 1


def test_a_text_that_repeats_itself_is_read_once() -> None:
    """Whoever reads it lets nobody else of the process have a turn meanwhile."""
    text = folded("가 " * 100_000 + "가나")

    def cost(query: str) -> float:
        began = time.process_time()
        assert len(Query(query).find(text)) == 1
        return time.process_time() - began

    assert cost("가" * 99 + "나") < 5 * cost("가나")
