"""Run by `ffmpeg.run` in a fresh interpreter: puts itself in the cage, then becomes the program.

A step of its own because code between fork and exec is not safe in a process with threads.
Arguments: parent's pid, address space, file size, CPU seconds, program, its arguments.
"""

import ctypes
import os
import resource
import signal
import sys

_CLONE_NEWUSER, _CLONE_NEWNET, _PR_SET_PDEATHSIG = 0x10000000, 0x40000000, 1


def main() -> None:
    parent, space, file, cpu = map(int, sys.argv[1:5])
    libc = ctypes.CDLL(None, use_errno=True)
    # No network, where the system allows it: directly as root, else in a user namespace of its own.
    if libc.unshare(_CLONE_NEWNET):
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    # After unshare, which clears it.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent died before the program started")
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))  # SIGXCPU says why; SIGKILL, a second later, not
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    # Python ignores these two and exec would hand that down.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execv(sys.argv[5], sys.argv[5:])  # noqa: S606 - no shell is the point


main()
