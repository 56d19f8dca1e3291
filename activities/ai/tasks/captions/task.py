"""Reading a file of captions, in the child: what `rules.captions.reading` finds in its text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from activities.ai.sandbox.task import Assembled, BadInput, Limits
from activities.ai.sniff import text_encoding
from contracts import errors
from rules.captions.cues import MOST_BYTES, CaptionsError
from rules.captions.reading import read

_CODES = {
    "format": errors.CAPTIONS_FORMAT_UNKNOWN,
    "time": errors.CAPTIONS_TIME_INVALID,
    "piece": errors.CAPTIONS_ARE_A_PIECE,
    "empty": errors.CAPTIONS_EMPTY,
    "long": errors.CAPTIONS_TOO_LONG,
    "too_many": errors.CAPTIONS_TOO_LONG,
}


class CaptionsTask:
    """One unit, the file, and no files of its own: cues are the result."""

    name = "captions_text"
    version = 1
    limits = Limits(source_bytes=MOST_BYTES, memory_bytes=512 << 20, cpu_seconds=30, wall_seconds=60)

    def fingerprint(self) -> str:
        return f"captions {self.version}"

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        return [self.name]

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        try:
            found = read(decoded(source.read_bytes()))
        except CaptionsError as error:
            raise BadInput(_CODES[error.problem], {"line": error.line} if error.line else {}) from None
        return {
            "languages": [
                {
                    "language": each.language,
                    "name": each.name,
                    "without_text": each.without_text,
                    "cues": each.cues,
                }
                for each in found
            ]
        }

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        return Assembled({})


CAPTIONS = CaptionsTask()


def decoded(data: bytes) -> str:
    """UTF-16 or UTF-8, with or without a mark, or cp949, as Korean players write. Raises BadInput."""
    utf16 = text_encoding(data[:2048])
    for encoding in (utf16,) if utf16 else ("utf-8-sig", "cp949"):
        try:
            found = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in found and "\uffff" not in found:
            return found
    raise BadInput(errors.CAPTIONS_ENCODING_UNKNOWN)
