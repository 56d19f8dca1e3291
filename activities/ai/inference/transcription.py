"""The job `transcription`: what is said in a lecture, as subtitles."""

from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from activities.ai.inference.asking import (
    MACHINE_MADE,
    Inferred,
    Report,
    Units,
    as_json,
    film_errors,
    model_errors,
    once,
    usable,
)
from activities.ai.inference.sound import Span, cut, spoken
from activities.ai.inference.subtitles import Cue, cues, webvtt
from activities.video.ffmpeg import Tools
from clients.inference import Models, Segment

TIMEOUT = 1800.0  # seconds, of one pass of ffmpeg over the sound
# Whisper's own rule for sound that is no speech (openai/whisper, transcribe.py).
NO_SPEECH, UNLIKELY = 0.6, -1.0
REPEATED = 4  # the same cue so often in a row is a model that has lost its way
_NOTE = "기계가 자동으로 만든 자막입니다. Made by a machine: {model}"


async def transcription(
    source: Path,
    *,
    tools: Tools,
    models: Models,
    units: Units,
    scratch: Path,
    language: str = "ko",
    on_progress: Report,
) -> Inferred:
    """`subtitles.vtt` and `transcript.json`, times in seconds from the start of the file.

    Longer silences are not sent. REVIEW_REQUIRED where sound gave no text, the model repeats itself, or
    is unproven. Raises BadInput NO_SOUND, FILE_DAMAGED, TASK_TIMED_OUT, and ApplicationError MODEL_*.
    """
    with model_errors():
        model = models.name("transcription")
    with film_errors():
        spans, duration = await spoken(tools, source, TIMEOUT)
    lines: list[Cue] = []
    mute: list[Span] = []
    for number, span in enumerate(spans, 1):
        work = partial(_chunk, tools, models, source, span, scratch, language)
        # Named by its times: another ffmpeg may cut elsewhere.
        heard = await once(units, f"sound-{span.start:.3f}-{span.end:.3f}", work)
        lines += [Cue(*cue) for cue in heard["cues"]]
        if not heard["cues"]:
            mute.append(span)
        on_progress(number / len(spans))
    summary = {
        "seconds": round(duration, 1),
        "spoken_seconds": round(sum(span.end - span.start for span in spans), 1),
        "cues": len(lines),
        "model": model,
        "machine_made": True,
    }
    review = [MACHINE_MADE] if "transcription" in models.unproven else []
    review += [f"no text for the sound at {span.start:.0f} to {span.end:.0f} s" for span in mute]
    if any(len(list(same)) >= REPEATED for _, same in groupby(lines, lambda cue: cue.text)):
        review.append("the same line several times in a row")
    transcript = summary | {"cues": [cue._asdict() for cue in lines]}
    files: dict[str, bytes | Path] = {
        "subtitles.vtt": webvtt(lines, _NOTE.format(model=model)).encode(),
        "transcript.json": as_json(transcript),
    }
    return Inferred(summary, files, tuple(review))


async def _chunk(
    tools: Tools, models: Models, source: Path, span: Span, scratch: Path, language: str
) -> dict[str, Any]:
    """The cues of one piece, in times of the whole file."""
    path = scratch / "sound.flac"
    with film_errors():
        await cut(tools, source, span, path, timeout=TIMEOUT)
    with model_errors():
        heard = await usable(partial(models.transcribe, path, language))
    length = span.end - span.start
    found = []
    for segment in sorted(heard.segments, key=lambda each: each.start):
        if _is_speech(segment) and segment.start < length:
            found += list(
                cues(segment.model_copy(update={"end": min(segment.end, length)}), heard.words or ())
            )
    return {"cues": [(span.start + cue.start, span.start + cue.end, cue.text) for cue in found]}


def _is_speech(segment: Segment) -> bool:
    noise = segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < UNLIKELY
    return bool(segment.text.strip()) and segment.start < segment.end and not noise
