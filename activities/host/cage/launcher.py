"""Run in a fresh interpreter: puts itself in the cage, then becomes the program.

A step of its own because code between fork and exec is not safe in a process with threads.
Arguments: parent's pid, the cage as JSON (`activities.host.cage.caging`), program, its arguments.
"""

import ctypes
import json
import os
import resource
import signal
import sys

sys.path.append(__file__.removesuffix("/activities/host/cage/launcher.py"))  # with -I there is no other

from activities.host.cage import landlock, syscalls

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_CAPABILITIES_3 = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}


def main() -> None:
    parent, cage = int(sys.argv[1]), json.loads(sys.argv[2])
    libc = ctypes.CDLL(None, use_errno=True)
    # No network, where the system allows it: directly as root, else in a user namespace of its own.
    if libc.unshare(_CLONE_NEWNET):
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    rules = [(landlock.READ, path) for path in (*landlock.SYSTEM, *cage["reads"])]
    rules += [(landlock.LIST, path) for path in cage["lists"]]
    rules += [(landlock.WRITE, path) for path in (*cage["writes"], "/dev/null")]
    landlock.restrict(rules)
    if cage["user"]:
        _become(cage["user"])
    elif os.geteuid() == 0:
        _drop_capabilities(libc)
    # After what clears it.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent died before the program started")
    _limit(cage)
    # Python ignores these two and exec would hand that down.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    syscalls.confine(syscalls.Rights(processes=cage["processes"], programs=True))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 - no shell is the point


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root without any: it owns files, and that is all."""
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, nothing = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    libc.syscall(_CAPSET[os.uname().machine], header, nothing)


def _limit(cage: dict[str, int]) -> None:
    cpu, file, memory = cage["cpu_seconds"], cage["file_size"], cage["address_space"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    # SIGXCPU says why; SIGKILL, a second later, not.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu if cpu == resource.RLIM_INFINITY else cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


main()
