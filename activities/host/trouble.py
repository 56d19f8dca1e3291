"""What is the host's fault and no file's: another worker does better, or this one later."""

import errno
import os
import signal
from pathlib import Path

from contracts.errors import ErrorType

# Of these no file is the reason. An error of input or output (EIO) may be: a demuxer says so of a cut file.
_ERRNOS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    *(errno.ESTALE, errno.ENODEV, errno.ENXIO),
)
# ffmpeg's exit code is the negative errno, of which eight bits are left.
_CODES = {-number & 0xFF: number for number in _ERRNOS}
_VMSTAT = Path("/proc/vmstat")
_KILLED = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGBUS)


class HostTrouble(Exception):
    """Retried until the job's time is up. `kind` is what the attempt's failure is called."""

    def __init__(self, text: str, kind: ErrorType = ErrorType.HOST_TROUBLE) -> None:
        super().__init__(text)
        self.kind = kind


def of_host(error: OSError) -> bool:
    return error.errno in (*_ERRNOS, errno.EIO)


def killed_for_memory() -> int:
    """How many processes the kernel of this host has killed because memory ran out, of anybody's
    (`oom_kill`, proc_vmstat(5)). More than before: who was killed needed not too much, but was there. 0 where
    a container hides it: then such an end is the file's own."""
    try:
        lines = _VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def trouble_of(code: int, stderr: str) -> HostTrouble | None:
    """What a program's exit code (negative for a signal) and its last words say about the host."""
    if -code in _KILLED:
        return HostTrouble(f"killed by {signal.Signals(-code).name}", ErrorType.FFMPEG_KILLED)
    said = [text for text in map(os.strerror, _ERRNOS) if text in stderr]
    if code in _CODES:
        said.append(os.strerror(_CODES[code]))
    return HostTrouble(f"exit code {code}: {said[0]}") if said else None
