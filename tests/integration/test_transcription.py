"""A lecture's sound on its way to subtitles: real ffmpeg, a model server of the test's own."""

import email.parser
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from temporalio.exceptions import ApplicationError

from activities.ai.inference.asking import StoredUnits
from activities.ai.inference.sound import CHUNK, Span, chunks
from activities.ai.inference.subtitles import Cue, cues, webvtt
from activities.ai.inference.transcription import transcription
from activities.ai.sandbox.task import BadInput
from clients.inference import Models, Segment, Word
from clients.objects import Objects
from contracts.jobs import JobState
from devstack.stack import Stack
from tests.integration.model_server import Kept, at, content
from tests.integration.serving import Desk, serving
from tests.unit.media import TOOLS, ffmpeg


def tone(*loud: tuple[float, float], seconds: float, level: float = 0.3) -> str:
    """ffmpeg's words for noise in the given spans and near silence between."""
    inside = "+".join(f"between(t,{start},{end})" for start, end in loud) or "0"
    return f"-f lavfi -i aevalsrc='(random(0)-0.5)*({level}*({inside})+0.0005)':s=16000:d={seconds}"


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech at 2–10, 10.8–40, 41–75 and 100–110 s of 120."""
    file = tmp_path_factory.mktemp("speech") / "lecture.mkv"
    sound = tone((2, 10), (10.8, 40), (41, 75), (100, 110), seconds=120)
    ffmpeg(f"-f lavfi -i color=black:s=64x64:r=5:d=120 {sound} -c:v libx264 -c:a pcm_s16le", str(file))
    return file


def heard(request: Request, body: bytes) -> Response:
    """A segment from 0.5 s to a second before the end of the sound, whose length it tells."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = email.parser.BytesParser().parsebytes(head + body).get_payload()
    (sound,) = [p for p in parts if p.get_param("name", header="content-disposition") == "file"]
    data = sound.get_payload(decode=True)
    seconds = (int.from_bytes(data[18:26], "big") & (2**36 - 1)) / 16000  # FLAC's STREAMINFO
    segments = [
        {"text": f" <{seconds:.1f}초> & 말", "start": 0.5, "end": seconds - 1},
        {"text": "구독해 주세요", "start": 1, "end": 2, "no_speech_prob": 0.9, "avg_logprob": -1.5},
        {"text": " ", "start": 2, "end": 3},
        {"text": "after the end", "start": seconds + 5, "end": seconds + 6},
    ]
    return JSONResponse({"text": "", "segments": segments})


async def hear(source: Path, scratch: Path, models: Models, kept: Any) -> Any:
    scratch.mkdir()
    reported: list[float] = []
    done = await transcription(
        source, tools=TOOLS, models=models, units=kept, scratch=scratch, on_progress=reported.append
    )
    assert reported == sorted(reported) and reported[-1] == 1
    return done


@pytest.fixture
async def model() -> AsyncIterator[tuple[Desk, Models]]:
    async with serving(heard) as (desk, port):
        models = Models(at(port))
        yield desk, models
        await models.aclose()


async def test_a_lecture_gets_subtitles(lecture: Path, tmp_path: Path, model: tuple[Desk, Models]) -> None:
    desk, models = model
    kept = Kept()
    done = await hear(lecture, tmp_path / "a", models, kept)
    assert len(desk.asked) == 3, "cut at the pause before a minute is over, nothing sent of the long silence"
    found = content(done, "transcript.json")["cues"]
    assert [(round(cue["start"], 1), round(cue["end"], 1)) for cue in found] == [
        (pytest.approx(2.3, abs=0.15), pytest.approx(39.2, abs=0.15)),
        (pytest.approx(41.3, abs=0.15), pytest.approx(74.2, abs=0.15)),
        (pytest.approx(100.3, abs=0.15), pytest.approx(109.2, abs=0.15)),
    ]
    assert done.state == JobState.DONE
    assert done.summary == {
        "seconds": pytest.approx(120, abs=0.2),
        "spoken_seconds": pytest.approx(83, abs=1),
        "cues": 3,
        "model": "the-transcription",
        "machine_made": True,
    }
    text = done.files["subtitles.vtt"].decode()
    assert text.startswith("WEBVTT\n\nNOTE ") and "Made by a machine" in text.split("\n\n")[1]
    assert "구독해" not in text and "after the end" not in text
    assert "&lt;" in text and "&amp; 말" in text
    times = re.findall(r"^(\d\d:\d\d:\d\d\.\d{3}) --> (\d\d:\d\d:\d\d\.\d{3})$", text, re.M)
    assert len(times) == 3 and list(itertools.chain(*times)) == sorted(itertools.chain(*times))

    again = await hear(lecture, tmp_path / "b", models, kept)
    assert again == done and len(desk.asked) == 3, "what is finished is not asked again"


async def test_a_lost_server_costs_one_piece(
    lecture: Path, tmp_path: Path, model: tuple[Desk, Models]
) -> None:
    desk, models = model
    kept = Kept()

    def reply(request: Request, body: bytes) -> Response:
        return heard(request, body) if len(desk.asked) != 2 else Response(status_code=503)

    desk.reply = reply
    with pytest.raises(ApplicationError, match="503"):
        await hear(lecture, tmp_path / "a", models, kept)
    await hear(lecture, tmp_path / "b", models, kept)
    assert len(desk.asked) == 4


async def test_sound_without_text_is_for_review(
    lecture: Path, tmp_path: Path, model: tuple[Desk, Models]
) -> None:
    desk, models = model
    desk.reply = lambda _, __: JSONResponse({"text": "", "segments": []})
    done = await hear(lecture, tmp_path / "a", models, Kept())
    assert (done.state, len(done.review)) == (JobState.REVIEW_REQUIRED, 3)

    same = [{"text": "감사합니다", "start": n, "end": n + 1} for n in range(2)]
    desk.reply = lambda _, __: JSONResponse({"text": "", "segments": same})
    done = await hear(lecture, tmp_path / "b", models, Kept())
    assert done.review == ("the same line several times in a row",)


async def test_a_quiet_recording_is_heard(tmp_path: Path, model: tuple[Desk, Models]) -> None:
    """24 dB below the other lecture: a fixed threshold would take it for silence."""
    desk, models = model
    file = tmp_path / "quiet.mka"
    ffmpeg(f"{tone((2, 10), (14, 20), seconds=24, level=0.02)} -c:a flac", str(file))
    await hear(file, tmp_path / "a", models, Kept())
    assert len(desk.asked) == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("-f lavfi -i color=black:s=64x64:r=5:d=3 -c:v libx264", "NO_SOUND"),
        ("-f lavfi -i anullsrc=r=16000:cl=mono:d=3 -c:a aac", "NO_SOUND"),
    ],
)
async def test_a_film_without_sound(
    words: str, code: str, tmp_path: Path, model: tuple[Desk, Models]
) -> None:
    file = tmp_path / "mute.mp4"
    ffmpeg(words, str(file))
    with pytest.raises(BadInput, match=code):
        await hear(file, tmp_path / "a", model[1], Kept())
    file.write_bytes(b"no film")
    with pytest.raises(BadInput, match="FILE_DAMAGED"):
        await hear(file, tmp_path / "b", model[1], Kept())


async def test_parts_are_kept_in_the_bucket(stack: Stack) -> None:
    units = StoredUnits(Objects(stack.settings()), "tenants/7/ai/work/x/transcription-1-y/")
    assert await units.get("sound-1") is None
    await units.put("sound-1", {"글": [1]})
    assert await units.get("sound-1") == {"글": [1]}


def test_sound_is_cut_in_silence() -> None:
    def cut(*silences: tuple[float, float], duration: float) -> list[tuple[float, float]]:
        return [(round(s, 1), round(e, 1)) for s, e in chunks([Span(*each) for each in silences], duration)]

    assert cut(duration=50) == [(0, 50)]
    assert cut((0, 50), duration=50) == []
    assert cut((0, 10), (12, 13), (20, 30), duration=30) == [(9.8, 20.2)], "a short pause is kept"
    assert cut((10, 20), duration=30) == [(0, 10.2), (19.8, 30)], "a long silence is skipped"
    assert cut((40, 41), (70, 71), duration=80) == [(0, 40.2), (40.8, 80)]
    long = chunks([], 200)
    assert len(long) == 4 and all(end - start <= CHUNK for start, end in long)
    assert [long[0].start, long[-1].end] == [0, 200]


def test_long_lines_are_cut_between_words() -> None:
    words = [Word(word=f" 낱말{n}", start=n, end=n + 0.9) for n in range(20)]
    segment = Segment(text="all of it", start=0, end=20)
    found = list(cues(segment, words))
    assert "".join(cue.text.replace(" ", "") for cue in found) == "".join(f"낱말{n}" for n in range(20))
    assert all(cue.end - cue.start <= 7 and len(cue.text) <= 40 for cue in found)
    assert list(cues(segment, [])) == [Cue(0, 20, "all of it")]
    bare = [Word(word=word, start=n, end=n + 1) for n, word in enumerate(["one", "two", *["x"] * 8])]
    assert next(cues(segment, bare)).text.startswith("one two x")


def test_subtitles_cannot_be_broken_by_their_text() -> None:
    text = webvtt(
        [Cue(3599.9996, 3601, "a\n\nb --> c"), Cue(3000, 3000, "<b>\x00"), Cue(3602, 3603, "")], "note"
    )
    assert text == (
        "WEBVTT\n\nNOTE note\n\n"
        "1\n01:00:00.000 --> 01:00:01.000\na b --&gt; c\n\n"
        "2\n01:00:00.000 --> 01:00:00.001\n&lt;b&gt;\n\n"
        "3\n01:00:02.000 --> 01:00:03.000\n\n"
    )
