"""A PDF that somebody gave the password of, without it. Runs in the child; no task sees the password."""

import os
import tempfile
from functools import lru_cache
from pathlib import Path

from activities.ai.sandbox.task import BadInput
from contracts.errors import FILE_DAMAGED, FILE_PASSWORD_WRONG


def unlocked(source: Path, password: str) -> Path:
    """The file itself if it is no PDF or opens without a password; else a copy among the child's temporary
    files, which go with it. Raises BadInput: FILE_PASSWORD_WRONG."""
    with source.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            return source
    said = source.stat()
    return _unlocked(source, password, said.st_ino, said.st_mtime_ns)


@lru_cache(maxsize=1)
def _unlocked(source: Path, password: str, inode: int, changed: int) -> Path:
    import pikepdf  # here: most children need none

    try:
        with pikepdf.open(source):
            return source
    except pikepdf.PasswordError:
        pass
    except pikepdf.PdfError:
        return source  # its task says what it is
    try:
        with pikepdf.open(source, password=password) as document:
            handle, name = tempfile.mkstemp(suffix=source.suffix)
            with os.fdopen(handle, "wb") as copy:
                document.save(copy, encryption=False)
    except pikepdf.PasswordError:
        raise BadInput(FILE_PASSWORD_WRONG) from None
    except pikepdf.PdfError:
        raise BadInput(FILE_DAMAGED) from None
    return Path(name)
