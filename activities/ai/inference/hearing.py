"""What Vosk hears (https://alphacephei.com/vosk/), as a program of its own: `hearing.py model sound.wav`.

Writes a line of JSON an utterance, its words with times in seconds."""

import json
import sys
import wave

import vosk

FRAMES = 8_000


def main() -> None:
    vosk.SetLogLevel(-1)
    with wave.open(sys.argv[2]) as sound:
        recognizer = vosk.KaldiRecognizer(vosk.Model(sys.argv[1]), sound.getframerate())
        recognizer.SetWords(True)
        while frames := sound.readframes(FRAMES):
            if recognizer.AcceptWaveform(frames):
                _say(recognizer.Result())
        _say(recognizer.FinalResult())


def _say(result: str) -> None:
    words = json.loads(result).get("result", [])
    sys.stdout.write(
        json.dumps([{key: word[key] for key in ("word", "start", "end")} for word in words]) + "\n"
    )


main()
