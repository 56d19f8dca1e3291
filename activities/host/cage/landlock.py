"""Which files a child may open, by Landlock (Linux 5.13 and later): nothing but what is named.

It also parts processes: what is outside of a child's domain it can neither trace nor look into
(/proc/PID/environ, /proc/PID/mem), nor signal from Linux 6.12 on. Constants: linux/landlock.h.
"""

import ctypes
import os
import stat
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_FIRST = (1 << 13) - 1  # the rights of version 1
_ALL_TCP, _ALL_SCOPES = 3, 3
LIST, READ, WRITE = _READ_DIR, _READ_FILE | _READ_DIR | _EXECUTE, _FIRST & ~_EXECUTE | _REFER | _TRUNCATE
# Programs, what they link, and what their libraries look for. Nothing of it is a secret.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/fonts"),
    *("/etc/alternatives", "/etc/mime.types", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/self"),
    *("/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup"),
    *("/dev/urandom", "/dev/random", "/dev/zero"),
)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """0 where the kernel has none, or keeps it from us."""
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE, None, 0, _VERSION)))


def restrict(rules: Iterable[tuple[int, str]]) -> None:
    """This process, what it becomes and what it starts open the files of `rules` and beneath, and no others.

    A path that does not exist is none. Does nothing on a kernel without Landlock. no_new_privs must be set.
    Raises OSError.
    """
    has = version()
    if not has:
        return
    handled = _FIRST
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        handled |= right if has >= since else 0
    attributes = _Ruleset(handled, _ALL_TCP if has >= 4 else 0, _ALL_SCOPES if has >= 6 else 0)
    size = 24 if has >= 6 else 16 if has >= 4 else 8
    libc = ctypes.CDLL(None, use_errno=True)
    ruleset = _done(libc.syscall(_CREATE, ctypes.byref(attributes), size, 0))
    for rights, path in rules:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        folder = stat.S_ISDIR(os.fstat(place).st_mode)
        rule = _Beneath(rights & handled & (-1 if folder else _OF_FILES), place)
        _done(libc.syscall(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
        os.close(place)
    _done(libc.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result
