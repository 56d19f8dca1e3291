"""Programs that we run and do not bring along."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


def find_program(name: str, configured: str, wheel: Callable[[], str]) -> str:
    """The path of the configured program, else of the first one in PATH that is no script, else of the
    wheel's. A script in PATH is a wheel's or a version manager's, which runs another program; what that needs
    is not in the cage.

    Raises FileNotFoundError with the program's name.
    """
    found = shutil.which(configured) if configured else next(_in_path(name), None)
    if not found and not configured:
        with contextlib.suppress(ImportError):
            found = shutil.which(wheel())
    if not found:
        raise FileNotFoundError(f"{configured or name}: no such program")
    return str(Path(found).absolute())


def _in_path(name: str) -> Iterator[str]:
    for folder in os.get_exec_path():
        if (found := shutil.which(name, path=folder)) and not _is_script(Path(found)):
            yield found


def _is_script(program: Path) -> bool:
    try:
        with program.open("rb") as file:
            return file.read(2) == b"#!"
    except PermissionError:  # it may be run, and not be read
        return False
