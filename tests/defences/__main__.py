"""`make defences`: every test of the table is red without its defence. `NAME=bridge*` for some of them.

One after the other, in a copy of the tree, with this interpreter. Ends with one line of JSON: `red` counts
tests that failed by what they look at; `green` names entries whose test did not notice; `unclear` those where
something else broke (an import, a fixture, the time), which proves nothing. Exit code 0 when all are red.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import psutil

from tests.defences import Defence
from tests.defences.table import DEFENCES

ROOT = Path(__file__).parents[2]
LIMIT = 300  # seconds for one test, its servers included
PATIENCE, PATIENCE_WITHOUT_SERVERS = "30", "10"  # seconds that a test waits for what does not come any more
NOT_THERE = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}  # of the environment: the copy's code, compiled once
# A slip in what was written in the defence's place, or a stack that did not start: no verdict of a test.
SLIPS = re.compile(
    r"([\w.]+\.)?((Import|ModuleNotFound|Syntax|Indentation|Name|UnboundLocal|Stack)Error|Died)\b"
)


def main() -> int:
    wanted = sys.argv[1:] or ["*"]
    chosen = [each for each in DEFENCES if any(fnmatchcase(each.name, pattern) for pattern in wanted)]
    verdicts: dict[str, list[str]] = {"red": [], "green": [], "unclear": []}
    with TemporaryDirectory(prefix="defences-") as folder:
        Path(folder).chmod(0o711)  # as root, Postgres runs as `nobody` and must pass
        copy_tree(Path(folder) / "tree")
        for each in chosen:
            began = time.monotonic()
            verdict, why = judge(each, Path(folder))
            verdicts[verdict].append(each.name)
            print(f"{verdict:8}{each.name} ({time.monotonic() - began:.0f} s): {why}", flush=True)
    red = len(verdicts["red"])
    told = {"name": "defences", "entries": len(chosen), "red": red}
    print(json.dumps(told | {"green": verdicts["green"], "unclear": verdicts["unclear"]}))
    return 0 if chosen and red == len(chosen) else 1


def judge(each: Defence, folder: Path) -> tuple[str, str]:
    """The verdict on one entry and what its test said. The copy is whole again afterwards."""
    file = folder / "tree" / each.file
    whole = file.read_bytes()
    file.write_text(taken_out(each, folder / "tree"))
    try:
        return look(each.test, folder)
    finally:
        file.write_bytes(whole)


def look(test: str, folder: Path) -> tuple[str, str]:
    """Run one test in the copy; nothing of it is left."""
    temporary, report = folder / "tmp", folder / "report.xml"
    temporary.mkdir(mode=0o711)
    report.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name not in NOT_THERE}
    patience = PATIENCE_WITHOUT_SERVERS if test.startswith("tests/unit/") else PATIENCE
    environment |= {"TMPDIR": str(temporary), "PATIENCE": patience, "NEW_STACK_IN": str(folder)}
    limits = ["--timeout", str(LIMIT), "--timeout-method", "signal"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n", "0", "-x", *limits, "--junitxml", str(report), test],
        cwd=folder / "tree",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=LIMIT + 60)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    end_all_below(folder)
    shutil.rmtree(temporary)
    if not report.exists():
        return "unclear", f"no report: {' '.join(said.split())[-200:]}"
    return read(ElementTree.parse(report))


def end_all_below(folder: Path) -> None:
    """What a test without its defence left running: it works in the copy."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                process.kill()


def taken_out(each: Defence, tree: Path = ROOT) -> str:
    """The file's text without the defence."""
    text = (tree / each.file).read_text()
    assert text.count(each.stands) == 1, f"{each.name}: stands {text.count(each.stands)} times in {each.file}"
    return text.replace(each.stands, each.without)


def copy_tree(copy: Path) -> None:
    """What git knows or would take, as it lies here: neither `.venv` nor data."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


def read(report: "ElementTree.ElementTree[ElementTree.Element]") -> tuple[str, str]:
    """Of pytest's report."""
    cases = list(report.iter("testcase"))
    for kind in ("failure", "error", "skipped"):
        for case in cases:
            if (found := case.find(kind)) is None:
                continue
            told = " ".join(found.get("message", "").split())[:160]
            slip = SLIPS.match(told) or kind != "failure"
            return ("unclear" if slip else "red"), told
    return ("green", f"{len(cases)} passed") if cases else ("unclear", "no test ran")


if __name__ == "__main__":
    sys.exit(main())
