"""Files of captions: what is read of them, what is corrected and told, and what players get."""

import html
import re
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.captions.task import CAPTIONS, decoded
from clients.database.captions import CaptionRow
from contracts import errors
from contracts.captions import Origin, name_of
from intake.captions import at_root, of_version
from rules.captions.cues import Cue, cue_text, fitted, is_safe
from rules.captions.reading import read
from rules.captions.writing import (
    MEDIA,
    WHOLE,
    Chapter,
    Shown,
    based,
    chapters_json,
    chapters_track,
    files,
    in_master,
)

SRT = """1
00:00:01,000 --> 00:00:03,000
안녕하세요 <i>여러분</i>

둘째 줄

2
00:00:04,000 --> 00:00:05,500
{\\an8}x < 2 & y <font color="red">빨강</font>
"""
SMI = """<SAMI><HEAD><STYLE TYPE="text/css"><!--
P { margin-left:8pt; }
.KRCC { Name: 한국어; lang: ko-KR; SAMIType: CC; }
.ENCC { Name: English; lang: en-US; SAMIType: CC; }
--></STYLE></HEAD><BODY>
<SYNC Start=1000><P Class=KRCC>안녕<br>하세요
<SYNC Start=1000><P Class=ENCC>Hello &amp; welcome
<SYNC Start=3000><P Class=KRCC>&nbsp;
<SYNC Start=4000><P Class=ENCC>&nbsp;
<SYNC Start=5000><P Class=KRCC>끝
</BODY></SAMI>"""
VTT = """WEBVTT - lecture

STYLE
::cue { color: red }

NOTE a --> b

intro
00:01.000 --> 00:02.000 align:start position:10% region:r
<v.loud 선생님>안녕 <c.x>1</c>

00:03.000 --> 00:04.000
one &lt; two
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_korean_files_are_read_in_every_encoding(encoding: str, line_end: str, tmp_path: Path) -> None:
    path = tmp_path / "a.smi"
    path.write_bytes(SMI.replace("\n", line_end).encode(encoding))
    korean, english = CAPTIONS.run(path, CAPTIONS.name, {}, tmp_path)["languages"]
    assert (korean["language"], korean["name"], english["language"]) == ("ko", "한국어", "en")
    assert korean["cues"] == [(1000, 3000, "안녕\n하세요", ""), (5000, 5000, "끝", "")]
    assert english["cues"] == [(1000, 4000, "Hello &amp; welcome", "")]


def test_subrip_keeps_blank_lines_and_what_looks_like_markup() -> None:
    (captions,) = read(SRT)
    assert captions.cues == [
        Cue(1000, 3000, "안녕하세요 <i>여러분</i>\n둘째 줄"),
        Cue(4000, 5500, "x &lt; 2 &amp; y 빨강"),
    ]
    (numberless,) = read("00:00:01,5 --> 00:00:02,50\na\n00:00:03.000 --> 00:00:04.000\n3 b\n5\n")
    assert numberless.cues == [Cue(1500, 2500, "a"), Cue(3000, 4000, "3 b\n5")]


@pytest.mark.parametrize(
    "words", ["x < 5 이고 y > 2", "a<b and c>d", "<홍길동> 안녕", "a <c 이고 c> d", "</>", "<3"]
)
def test_words_between_angles_are_words(words: str) -> None:
    (captions,) = read(f"1\n00:00:01,000 --> 00:00:02:500\n<FONT COLOR='red'>{words}</FONT>\n")
    assert [html.unescape(cue.text) for cue in captions.cues] == [words]
    assert captions.cues[0].end == 2500
    assert cue_text(f"<00:01.000>{words.replace('<c', '< c')}", entities=True).count("&lt;")


def test_two_paragraphs_of_one_time_stand_together() -> None:
    text = (
        "<SAMI><SYNC Start=1000ms><P Class=KRCC ID=Source>강사<P Class=KRCC>자, 봅시다"
        "<SYNC Start=9000><P Class=KRCC>&nbsp;"
    )
    (captions,) = read(text)
    assert captions.cues == [Cue(1000, 9000, "강사\n자, 봅시다")]


def test_webvtt_keeps_voices_and_places_and_no_styles() -> None:
    (captions,) = read(VTT)
    assert captions.cues == [
        Cue(1000, 2000, "<v 선생님>안녕 1</v>", "align:start position:10%"),
        Cue(3000, 4000, "one &lt; two"),
    ]


def test_sami_without_a_style_is_known_by_its_classes() -> None:
    text = "<SAMI><BODY><SYNC Start='500'><P Class='ENCC'>a<SYNC Start=900><P Class=ENCC>b <!-- c --></SAMI>"
    (captions,) = read(text)
    assert (captions.language, captions.cues) == ("en", [Cue(500, 900, "a"), Cue(900, 900, "b")])
    (unsaid,) = read("<sami><sync start=500>가<sync start=900>나")
    assert (unsaid.language, [cue.text for cue in unsaid.cues]) == (None, ["가", "나"])


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("hello\nworld", errors.CAPTIONS_FORMAT_UNKNOWN, None),
        ("words before\n00:00:01,000 --> 00:00:02,000\na", errors.CAPTIONS_FORMAT_UNKNOWN, 1),
        ("1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:03 --> tomorrow\nb", errors.CAPTIONS_TIME_INVALID, 6),
        ("1\n00:61:01,000 --> 00:62:02,000\na", errors.CAPTIONS_TIME_INVALID, 2),
        ("WEBVTT\n\n00:01.000 --> 00:0x\na", errors.CAPTIONS_TIME_INVALID, 3),
        ("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n00:01.000 --> 00:02.000\na",
         errors.CAPTIONS_ARE_A_PIECE, 2),
        ("<SAMI><SYNC Start=now><P>a", errors.CAPTIONS_TIME_INVALID, 1),
        ("<SAMI>\n<SYNC Start=00:00:05.000><P>a", errors.CAPTIONS_TIME_INVALID, 2),
        ("<SAMI><SYNC Start='1,500'><P>a", errors.CAPTIONS_TIME_INVALID, 1),
        ("WEBVTT\n\n00:01:02 --> 00:01:05\na", errors.CAPTIONS_TIME_INVALID, 3),  # a minute, or a second
        ("WEBVTT\n\n00:00:01:12 --> 00:00:03:20\na", errors.CAPTIONS_TIME_INVALID, 3),  # frames
        ("WEBVTT\n", errors.CAPTIONS_EMPTY, None),
        ("<SAMI><SYNC Start=1><P Class=KRCC>&nbsp;", errors.CAPTIONS_EMPTY, None),
        ("1\n00:00:01,000 --> 00:00:02,000\n" + "가" * 2001, errors.CAPTIONS_TOO_LONG, 2),
        ("WEBVTT\n\n" + "00:01.000 --> 00:02.000\na\n\n" * 20_001, errors.CAPTIONS_TOO_LONG, None),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_line(
    text: str, code: str, line: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.srt"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        CAPTIONS.run(path, CAPTIONS.name, {}, tmp_path)
    assert (refused.value.code, refused.value.detail.get("line")) == (code, line)


@pytest.mark.parametrize(
    "data", [b"\x81\xff text", b"\xff\xfea\x00\x00\x00", "é".encode("latin-1") + b"\n" * 9]
)
def test_what_is_in_no_encoding_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match=errors.CAPTIONS_ENCODING_UNKNOWN):
        decoded(data)


def test_every_odd_time_is_corrected_and_told() -> None:
    cues = [
        Cue(5000, 6000, "later"),
        Cue(-3000, -1000, "before"),
        Cue(-1000, 2000, "cut at the start"),
        Cue(1000, 1000, "no end"),
        Cue(1500, 3000, "over another"),
        Cue(9000, 12_000, "cut at the end"),
        Cue(10_000, 11_000, "after"),
    ]
    shown, told = fitted(cues, 10_000)
    assert [(cue.start, cue.end, cue.text) for cue in shown] == [
        (0, 2000, "cut at the start"),
        (1000, 1500, "no end"),
        (1500, 3000, "over another"),
        (5000, 6000, "later"),
        (9000, 10_000, "cut at the end"),
    ]
    assert asdict(told) == {
        "out_of_order": 1,
        "overlapping": 2,
        "without_end": 1,
        "cut_at_start": 1,
        "cut_at_end": 1,
        "left_out_before": 1,
        "left_out_after": 1,
    }


_WORDS = st.text(st.sampled_from("a한<>/&;biv \n\t-\r\0\u2028{}\\n") | st.characters(), max_size=40)


@given(_WORDS, st.booleans())
def test_no_text_ends_its_cue(source: str, entities: bool) -> None:
    text = cue_text(source, entities=entities)
    assert not text or is_safe(text)
    assert len(re.findall("<[biv]", text)) == len(re.findall("</[biv]", text))


@given(
    st.lists(st.tuples(st.integers(-5000, 200_000), st.integers(-5000, 9000)), max_size=30),
    st.integers(1, 120_000),
)
def test_cues_are_within_the_lecture_and_none_is_lost_untold(
    times: list[tuple[int, int]], duration: int
) -> None:
    cues = [Cue(start, start + length, str(number)) for number, (start, length) in enumerate(times)]
    shown, told = fitted(cues, duration)
    assert all(0 <= cue.start < cue.end <= duration for cue in shown)
    assert all(one.start <= other.start for one, other in pairwise(shown))
    assert len(shown) + told.left_out == len(cues)
    made = files(shown, duration)
    lengths = [float(length) for length in re.findall(r"#EXTINF:([0-9.]+)", made[MEDIA])]
    assert sum(lengths) * 1000 == pytest.approx(duration)
    target = int(re.findall(r"TARGETDURATION:(\d+)", made[MEDIA])[0])
    assert all(int(length + 0.5) <= target for length in lengths)
    for cue in shown:  # in each segment that it reaches into
        inside = [number for number in range(len(lengths)) if f"\n{cue.text}\n" in made[f"s{number:05d}.vtt"]]
        assert inside == list(range(cue.start // 30_000, (cue.end - 1) // 30_000 + 1))


def test_segments_count_from_the_lectures_own_start() -> None:
    made = files([Cue(29_000, 31_000, "a", "line:0")], 65_000)
    assert made["s00001.vtt"] == (
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:00:29.000 --> 00:00:31.000 line:0\na\n"
    )
    assert made["s00002.vtt"].count("-->") == 0
    assert "X-TIMESTAMP-MAP" not in made[WHOLE]
    assert read(made[WHOLE])[0].cues == [Cue(29_000, 31_000, "a", "line:0")]


MASTER = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",URI="audio/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="audio"
360p/media.m3u8
"""


def test_a_master_names_every_language_once() -> None:
    shown = [
        Shown("captions/a/media.m3u8", "ko", '한"국\n어', default=True),
        Shown("b", "en", "x"),
        Shown("c", "en", "x"),
    ]
    assert in_master(MASTER, []) == MASTER
    lines = in_master(based(MASTER, "v-1/"), shown).splitlines()
    assert lines[3] == (
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="한\'국 어",LANGUAGE="ko",'
        'DEFAULT=YES,AUTOSELECT=YES,FORCED=NO,URI="captions/a/media.m3u8"'
    )
    assert 'NAME="x 2"' in lines[5]
    assert lines[6].endswith('URI="v-1/audio/media.m3u8"')
    assert lines[7:] == [
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="audio",SUBTITLES="captions"',
        "v-1/360p/media.m3u8",
    ]


def test_what_came_with_another_version_is_not_named() -> None:
    def row(prefix: str) -> CaptionRow:
        return CaptionRow(
            UUID(int=1), "ko", prefix, Origin.UPLOADED, False, f"root/{prefix}", 1, datetime.now(UTC)
        )

    rows = [row("captions/1/"), row("v-1/text0/"), row("v-2/text0/")]
    assert [each.uri for each in of_version("root/v-1/", "root/", rows)] == [
        "captions/1/media.m3u8",
        "text0/media.m3u8",
    ]
    assert [each.uri for each in at_root("root/", rows)][2] == "v-2/text0/media.m3u8"


def test_chapters_last_until_the_next_one() -> None:
    chapters = [Chapter(0.0, "들어가며"), Chapter(90.5, "a < b")]
    assert chapters_track(chapters, 100.0) == (
        "WEBVTT\n\n00:00:00.000 --> 00:01:30.500\n들어가며\n\n00:01:30.500 --> 00:01:40.000\na &lt; b\n"
    )
    assert '"end": 90.5, "title": "들어가며"' in chapters_json(chapters, 100.0)
    assert chapters_json([], 100.0) == "[]"


def test_machines_say_so_in_the_name() -> None:
    assert name_of("ko", Origin.MACHINE) == "한국어 (기계가 만든 자막)"
    assert name_of("en-US", Origin.MACHINE) == "English (made by a machine)"
    assert name_of("tlh") == "tlh"
