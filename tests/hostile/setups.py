"""A worker of one of three set-ups, whose children attack it: as root, as a user, and as a user whom the
kernel gives no namespaces, as Docker's default profile has it. Prints what they could do, as JSON.

`python -m tests.hostile.setups root|user|docker|old FOLDER`: run by root, or by the user that it is to be.
"""

import asyncio
import ctypes
import json
import os
import sys
from pathlib import Path

from activities.ai.sandbox.parent import Sandbox
from activities.ai.sandbox.registry import TASKS
from activities.host.cage import syscalls
from activities.host.cage.caging import ROOT, hide, lacking, open_way
from activities.video.ffmpeg import run
from tests.hostile.villain import VILLAINS
from tests.lab import PATIENCE

USER = 10001
AS_IT_IS = "as-it-is"
_NEWNS, _REC_PRIVATE, _BIND, _MOVE = 0x20000, 0x44000, 0x1000, 0x2000
_UNSHARE = {"x86_64": 272, "aarch64": 97}
_LANDLOCK = 444
ATTACKS = Path(__file__).with_name("attacks.py")
# As a media program that was taken over: started as ffmpeg is.
_PROGRAM = """
import json, runpy, sys
module = runpy.run_path(sys.argv[1])
print(json.dumps(module["attacked"](module["Prey"](**json.loads(sys.argv[2])))))
"""


def become(kind: str, folder: Path) -> None:
    """The user of the set-up, without capabilities, who owns the folder."""
    if os.geteuid() == 0:
        _open_interpreter()
    if kind == "root":
        return
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    if kind in ("docker", "old"):
        _refuse(_UNSHARE[os.uname().machine])
    if kind == "old":
        _refuse(_LANDLOCK)


def _refuse(number: int) -> None:
    """As a profile of Docker's: this call fails, for good."""
    deny, allow = (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), deny, allow]
    program = (syscalls._Instruction * len(steps))(*(syscalls._Instruction(*step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)
    if libc.prctl(22, 2, ctypes.byref(syscalls._Program(len(steps), program))):
        raise OSError(ctypes.get_errno(), "seccomp")


def _open_interpreter() -> None:
    """The way to a Python in root's home, for this process alone."""
    python = Path(sys.base_prefix)
    closed = [parent for parent in python.parents if not parent.stat().st_mode & 1]
    if not closed:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    top = closed[-1]
    inner = top / python.relative_to(top).parts[0]
    kept = Path("/mnt")

    def mount(source: str, target: Path, kind: bytes | None, flags: int, data: bytes | None = None) -> None:
        if libc.mount(source.encode(), str(target).encode(), kind, flags, data):
            raise OSError(ctypes.get_errno(), f"mount {target}")

    if libc.unshare(_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", Path("/"), None, _REC_PRIVATE)
    mount("none", kept, b"tmpfs", 0)
    (kept / "inner").mkdir()
    mount(str(inner), kept / "inner", None, _BIND)
    mount("none", top, b"tmpfs", 0, b"mode=755")
    inner.mkdir()
    mount(str(kept / "inner"), inner, None, _MOVE)


async def attack(folder: Path) -> dict[str, object]:
    scratch, out = folder / "scratch", folder / "scratch" / "out"
    out.mkdir(0o700, parents=True)
    open_way(folder, scratch)
    prey = {"cached": str(folder / "cache" / "source.pdf"), "other": str(folder / "other-job" / "page.txt")}
    prey |= {"secret": str(folder / ".env"), "result": str(out / "begun")}
    prey |= {"code": str(ROOT / "activities" / "__init__.py")}
    TASKS.update(VILLAINS)
    source, lines = Path(prey["cached"]), list[str]()
    async with Sandbox(scratch).open("villain") as child:
        (out / "begun").touch(0o600)
        of_child = await child.run(source, "attack", prey, out)
    own, given = scratch / "segments", folder / "given.mp4"
    own.mkdir()
    given.touch()
    media = json.dumps(prey | {"source": str(given), "own": str(own)})
    program = [sys.executable, "-c", _PROGRAM, str(ATTACKS), media]
    await run(program, timeout=PATIENCE, reads=[ATTACKS, given], writes=[own], on_line=lines.append)
    return {
        "lacks": lacking(scratch),
        "child": of_child,
        "program": json.loads("".join(lines)),
        "kept": {
            path: Path(path).exists() and Path(path).read_text() for path in (prey["other"], str(source))
        },
    }


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    if kind != AS_IT_IS:
        become(kind, folder)
        # Anew: a process that has changed its user is hidden already.
        os.execv(sys.executable, [sys.executable, "-m", __spec__.name, AS_IT_IS, str(folder)])
    hide()
    print(json.dumps(asyncio.run(attack(folder))))


if __name__ == "__main__":
    main()
