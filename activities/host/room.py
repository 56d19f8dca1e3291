"""Whether a host can work: room on its disk, and a disk that takes what is written. Blocking."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryFile

from activities.host.trouble import HostTrouble
from contracts.errors import ErrorType

ROOM = 128 * 2**20  # bytes: what the units in the making of a host take
_BLOCK = bytes(64 * 2**10)


class Room:
    """The disk of `folder`, of which `kept` bytes stay free for what is in the making."""

    def __init__(self, folder: Path, kept: int = ROOM) -> None:
        self._folder = folder
        self._kept = kept

    def missing(self, size: int = 0) -> int:
        """Bytes that would have to go before `size` more fit; 0 or less when they do."""
        return size + self._kept - shutil.disk_usage(self._folder).free

    def require(self, size: int = 0) -> None:
        """Raises HostTrouble when `size` more bytes do not fit, or nothing can be written."""
        try:
            if (missing := self.missing(size)) > 0:
                raise HostTrouble(f"the disk lacks room for {missing} bytes", ErrorType.DISK_FULL)
            with TemporaryFile(dir=self._folder) as file:
                file.write(_BLOCK)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise HostTrouble(f"the disk cannot be written: {error.strerror}", ErrorType.DISK_FULL) from error
