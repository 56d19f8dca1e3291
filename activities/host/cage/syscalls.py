"""What a child may ask of the kernel: a list of system calls, and everything else is refused.

Its own files, memory, threads and clocks; no socket, no new namespace, no link, and nothing about another
process: no signal, limit, priority or memory. A filter needs no privilege, so it also holds in containers,
which refuse namespaces. Numbers: the kernel's asm/unistd.h and linux/audit.h; instructions: linux/filter.h.
"""

import ctypes
import errno
import os
import signal
from collections.abc import Iterable
from typing import NamedTuple

# Name, x86_64, aarch64 (-: it has none). Only what reads or changes nothing but the caller and files.
_LISTED = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69,
pwritev 296 70, preadv2 327 286, pwritev2 328 287, open 2 -, openat 257 56, close 3 57,
close_range 436 436, lseek 8 62, stat 4 -, fstat 5 80, lstat 6 -, newfstatat 262 79, statx 332 291,
statfs 137 43, fstatfs 138 44, access 21 -, faccessat 269 48, faccessat2 439 439, readlink 89 -,
readlinkat 267 78, getxattr 191 8, lgetxattr 192 9, fgetxattr 193 10, listxattr 194 11, llistxattr 195 12,
flistxattr 196 13, getdents 78 -, getdents64 217 61, getcwd 79 17, chdir 80 49, fchdir 81 50, umask 95 166,
rename 82 -, renameat 264 38, renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -,
unlinkat 263 35, chmod 90 -, fchmod 91 52, fchmodat 268 53, utime 132 -, utimes 235 -, utimensat 280 88,
truncate 76 45, ftruncate 77 46, fallocate 285 47, fsync 74 82, fdatasync 75 83, sync_file_range 277 84,
fadvise64 221 223, readahead 187 213, sendfile 40 71, splice 275 76, copy_file_range 326 285, flock 73 32,
pipe 22 -, pipe2 293 59, dup 32 23, dup2 33 -, dup3 292 24, select 23 -, pselect6 270 72, poll 7 -,
ppoll 271 73, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -,
epoll_pwait 281 22, epoll_pwait2 441 441, eventfd 284 -, eventfd2 290 19, brk 12 214, mmap 9 222,
mprotect 10 226, munmap 11 215, mremap 25 216, msync 26 227, mincore 27 232, madvise 28 233, mlock 149 228,
munlock 150 229, mbind 237 235, get_mempolicy 239 236, set_mempolicy 238 237, futex 202 98,
futex_waitv 449 449, membarrier 324 283, rseq 334 293, set_robust_list 273 99, get_robust_list 274 100,
set_tid_address 218 96, arch_prctl 158 -, exit 60 93, exit_group 231 94, wait4 61 260, waitid 247 95,
getpid 39 172, getppid 110 173, gettid 186 178, getpgrp 111 -, getpgid 121 155, getsid 124 156,
getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getgroups 115 158, getresuid 118 148,
getresgid 120 150, capget 125 90, uname 63 160, sysinfo 99 179, getrusage 98 165, times 100 153,
getcpu 309 168, getrlimit 97 163, setrlimit 160 164, getpriority 140 141, sched_yield 24 124,
sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120,
sched_get_priority_max 146 125, sched_get_priority_min 147 126, rt_sigaction 13 134, rt_sigprocmask 14 135,
rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigtimedwait 128 137, rt_sigsuspend 130 133,
sigaltstack 131 132, restart_syscall 219 128, pause 34 -, alarm 37 -, clock_gettime 228 113,
clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101, gettimeofday 96 169, time 201 -,
getitimer 36 102, setitimer 38 103, timer_create 222 107, timer_settime 223 110, timer_gettime 224 108,
timer_getoverrun 225 109, timer_delete 226 111, timerfd_create 283 85, timerfd_settime 286 86,
timerfd_gettime 287 87, getrandom 318 278, seccomp 317 277, landlock_create_ruleset 444 444,
landlock_add_rule 445 445, landlock_restrict_self 446 446, execve 59 221, fork 57 -, vfork 58 -,
clone 56 220, clone3 435 435, prctl 157 167, prlimit64 302 261, ioctl 16 29, fcntl 72 25, tgkill 234 131
"""
_MACHINES = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}  # the architecture, the column above
_FORKS = ("fork", "vfork")
_NEWER = 450  # calls that the list does not know yet: the C library has another way for each

_NEW_NAMESPACES = 0x7E020080  # of clone
_THREAD = 0x10000
# Of prctl: PR_GET_DUMPABLE, PR_SET_DUMPABLE, the names of threads and of memory, seccomp and no_new_privs.
_PRCTL = 3, 4, 15, 16, 21, 22, 38, 39, 0x53564D41
_PR_SET_PDEATHSIG = 1
# Of fcntl: descriptors, flags, locks, a pipe's size, seals. Not F_SETOWN, F_SETSIG: they signal anybody.
_FCNTL = 0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032, 1033, 1034
_IOCTL = 0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451  # is it a terminal, how much is to be read, and flags

_X32 = 0x40000000  # the same calls by other numbers
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # where they are in what the filter sees
_LOAD, _EQUAL, _AT_LEAST, _SHARES_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_Step = tuple[int, int, int, int]
_REFUSE, _PASS = (_RETURN, 0, 0, _ERROR | errno.EPERM), (_RETURN, 0, 0, _ALLOW)
_UNKNOWN = (_RETURN, 0, 0, _ERROR | errno.ENOSYS)


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


class Rights(NamedTuple):
    """What differs between children: whether it may start processes, and become another program."""

    processes: bool
    programs: bool


def confine(rights: Rights) -> None:
    """For this process, its threads and what it starts, for good; a second time takes more away.

    Raises OSError where the kernel has no such filters, KeyError on a machine that is none of those above.
    """
    architecture, column = _MACHINES[os.uname().machine]
    rows = [row.split() for row in _LISTED.split(",")]
    calls = {row[0]: int(row[column]) for row in rows if row[column] != "-"}
    steps = _steps(architecture, calls, rights)
    instructions = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_filter, all_threads = 38, 1, 1
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.syscall(
        calls["seccomp"], set_filter, all_threads, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), "seccomp")


def _steps(architecture: int, calls: dict[str, int], rights: Rights) -> list[_Step]:
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        _REFUSE,
    ]
    special: dict[str, list[_Step]] = {
        "clone3": [_UNKNOWN],  # the C library takes clone for it then, whose flags a filter can see
        "clone": _clone(rights.processes),
        "prctl": [
            (_LOAD, 0, 0, _FIRST),
            *(step for option in _PRCTL for step in ((_EQUAL, 0, 1, option), _PASS)),
            (_EQUAL, 1, 0, _PR_SET_PDEATHSIG),
            _REFUSE,
            *_one_of(_SECOND, (signal.SIGKILL,)),  # and nothing may undo it
        ],
        "prlimit64": _one_of(_FIRST, (0,)),  # its own
        "tgkill": _one_of(_FIRST, (os.getpid(),)),  # abort() signals its own process
        "fcntl": _one_of(_SECOND, _FCNTL),
        "ioctl": _one_of(_SECOND, _IOCTL),
    }
    if not rights.processes:
        special |= {name: [_REFUSE] for name in _FORKS}
    if not rights.programs:
        special["execve"] = [_REFUSE]
    for name, number in calls.items():
        what = special.get(name, [_PASS])
        steps += [(_EQUAL, 0, len(what), number), *what]
    return [*steps, (_AT_LEAST, 0, 1, _NEWER), _UNKNOWN, _REFUSE]


def _clone(processes: bool) -> list[_Step]:
    flags = [(_LOAD, 0, 0, _FIRST), (_SHARES_BITS, 0, 1, _NEW_NAMESPACES), _REFUSE]
    return [*flags, _PASS] if processes else [*flags, (_SHARES_BITS, 1, 0, _THREAD), _REFUSE, _PASS]


def _one_of(argument: int, values: Iterable[int]) -> list[_Step]:
    steps = [step for value in values for step in ((_EQUAL, 0, 1, value), _PASS)]
    return [(_LOAD, 0, 0, argument), *steps, _REFUSE]
