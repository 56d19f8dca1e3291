"""Become another program that dies with its parent: `child.py PARENT user|nobody PROGRAM ARGUMENT…`.

Runs as a plain script in a fresh interpreter: code between fork and exec of a threaded parent can
deadlock. Postgres refuses root, so as root it runs as `nobody`; when a folder on the way is closed to
`nobody` (a checkout below /root), it keeps one capability: to pass folders.
"""

import ctypes
import os
import pwd
import signal
import struct
import sys
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 1, 28, 47
NO_SETUID_FIXUP = 1 << 2  # access(2) must see the capability too, Postgres asks it
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # containers often lack the second, weaker one


def checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def open_to_all(folder: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def become_nobody(libc: ctypes.CDLL, *folders: Path) -> None:
    closed = not all(open_to_all(folder.resolve()) for folder in folders)
    header = struct.pack("Ii", 0x20080522, 0)
    if closed:
        checked(libc.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0))
    account = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if closed:
        held = ctypes.create_string_buffer(24)
        checked(libc.capget(header, held))
        permitted = struct.unpack("6I", held.raw)[1]
        keep = DAC_READ_SEARCH if permitted & 1 << DAC_READ_SEARCH else DAC_OVERRIDE
        checked(libc.capset(header, struct.pack("6I", *[1 << keep] * 3, 0, 0, 0)))
        checked(libc.prctl(PR_CAP_AMBIENT, 2, keep, 0, 0))


def main(parent: str, user: str, *argv: str) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        if user == "nobody":
            try:
                become_nobody(libc, Path(argv[0]).parent, Path.cwd())
            except OSError as error:
                sys.exit(f"'nobody' cannot pass the folders above {Path.cwd()} or {argv[0]} ({error})")
        checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != int(parent):  # it died before we asked to be told
        sys.exit("parent is gone")
    os.execv(argv[0], argv)


main(*sys.argv[1:])
