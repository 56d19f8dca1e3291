"""Programs that we run and do not bring along."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path


def find_program(name: str, configured: str, wheel: Callable[[], str]) -> str:
    """The path of the configured program, else of the one in PATH, else of the wheel's.

    Raises FileNotFoundError with the program's name.
    """
    found = shutil.which(configured or name)
    if not found and not configured:
        with contextlib.suppress(ImportError):
            found = shutil.which(wheel())
    if not found:
        raise FileNotFoundError(f"{configured or name}: no such program")
    return str(Path(found).absolute())
