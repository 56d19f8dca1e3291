"""Captions and chapters that a source brings along keep their time on the lecture's clock."""

from pathlib import Path

import pytest

from activities.video.texts import take_texts
from rules.captions.cues import Cue
from rules.captions.writing import Chapter
from tests.lab import PATIENCE
from tests.unit import media

SRT = "1\n00:00:01,000 --> 00:00:02,000\n안녕 <i>x</i>\n\n2\n00:00:03,000 --> 00:00:09,000\n끝 & y\n"
CHAPTERS = """;FFMETADATA1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=2500
title=하나
[CHAPTER]
TIMEBASE=1/1000
START=2500
END=4000
title=둘
"""


@pytest.mark.parametrize(
    ("extension", "codec", "late"),
    [("mp4", "mov_text", 1.2), ("mkv", "subrip", 1.2), ("mkv", "ass", 0.0)],
)
async def test_text_and_chapters_are_taken_out(
    extension: str, codec: str, late: float, tmp_path: Path
) -> None:
    """Where the picture begins late, what lies before it is cut away, and everything else comes earlier."""
    (tmp_path / "a.srt").write_text(SRT)
    (tmp_path / "chapters.txt").write_text(CHAPTERS)
    source = tmp_path / f"a.{extension}"
    media.ffmpeg(
        f"-itsoffset {late} -f lavfi -i color=s=64x64:r=25:d=5 "
        f"-i {tmp_path}/a.srt -i {tmp_path}/chapters.txt "
        "-map 0:v -map 1 -map 1 -map_metadata 2 -map_chapters 2 -c:v libx264 -preset ultrafast -bf 0 "
        f"-c:s {codec} -metadata:s:s:0 language=kor -metadata:s:s:1 language=eng",
        str(source),
    )
    path, plan = await media.prepare(source)
    brought = await take_texts(media.TOOLS, path, plan, tmp_path, timeout=PATIENCE)
    by = round(late * 1000)
    wanted = [Cue(max(0, 1000 - by), 2000 - by, "안녕 <i>x</i>"), Cue(3000 - by, 5000, "끝 &amp; y")]
    assert [(text.language, text.name, text.cues) for text in brought.texts] == [
        ("ko", "한국어", wanted),
        ("en", "English", wanted),
    ]
    assert brought.chapters == [Chapter(0.0, "하나"), Chapter(pytest.approx(2.5 - late), "둘")]
    assert brought.unread == []
