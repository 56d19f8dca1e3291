"""What a child may ask of the kernel: no process, no program, no socket, no signal to others, and no process
group or session of its own. Where its task runs programs it may start them; the rest holds for them too.

A filter of system calls (seccomp) needs no privilege, so it also holds in containers, which refuse
namespaces. Numbers: the kernel's asm/unistd.h and linux/audit.h; instructions: linux/filter.h.
"""

import ctypes
import errno
import os
from typing import NamedTuple


class _Machine(NamedTuple):
    architecture: int
    seccomp: int
    clone: int
    tgkill: int
    programs: tuple[int, ...]
    refused: tuple[int, ...]


# pidfd_send_signal, io_uring_setup (it opens sockets past a filter), pidfd_open, pidfd_getfd
_EVERYWHERE = 424, 425, 434, 438
_MACHINES = {
    # Programs: fork, vfork, execve; aarch64 has but the last. Refused: execveat, socket, ptrace,
    # process_vm_readv, process_vm_writev, kill, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, setpgid, setsid.
    "x86_64": _Machine(
        *(0xC000003E, 317, 56, 234, (57, 58, 59)),
        (322, 41, 101, 310, 311, 62, 200, 129, 297, 109, 112, *_EVERYWHERE),
    ),
    "aarch64": _Machine(
        *(0xC00000B7, 277, 220, 131, (221,)),
        (281, 198, 117, 270, 271, 129, 130, 138, 240, 154, 157, *_EVERYWHERE),
    ),
}
_CLONE3 = 435
_CLONE_THREAD = 0x10000
_X32 = 0x40000000  # the same calls by other numbers
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # where they are in what the filter sees
_LOAD, _EQUAL, _AT_LEAST, _SHARES_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def confine(programs: bool) -> None:
    """For this process, its threads and what it starts, for good; it may start something if `programs`.

    Raises OSError where the kernel has no such filters, KeyError on a machine that is none of those above.
    """
    machine = _MACHINES[os.uname().machine]
    steps = _steps(machine, programs)
    instructions = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_filter, all_threads = 38, 1, 1
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.syscall(
        machine.seccomp, set_filter, all_threads, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), "seccomp")


def _steps(machine: _Machine, programs: bool) -> list[tuple[int, int, int, int]]:
    refuse, allow = (_RETURN, 0, 0, _ERROR | errno.EPERM), (_RETURN, 0, 0, _ALLOW)
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        refuse,
        # The C library takes clone for it then, whose flags a filter can see.
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
    ]
    for number in machine.refused if programs else (*machine.programs, *machine.refused):
        steps += [(_EQUAL, 0, 1, number), refuse]
    # abort() signals its own process, and threads are welcome.
    conditions = [(machine.tgkill, _EQUAL, os.getpid())]
    if not programs:
        conditions.append((machine.clone, _SHARES_BITS, _CLONE_THREAD))
    for number, test, value in conditions:
        steps += [(_EQUAL, 0, 4, number), (_LOAD, 0, 0, _ARGUMENT), (test, 1, 0, value), refuse, allow]
    return [*steps, allow]
