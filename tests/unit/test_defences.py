"""The table of `make defences` is about what stands here; whether it is red, only `make defences` tells."""

import re
import subprocess
import sys
from pathlib import Path

from tests.defences.__main__ import ROOT, taken_out
from tests.defences.table import DEFENCES

COLUMNS = re.compile(r"^\|(?:[^|]+\|){4}([^|]+)\|$", re.MULTILINE)


def test_what_is_taken_out_stands_once_and_leaves_python(tmp_path: Path) -> None:
    """What is left of Python compiles and uses no name that is not there: its test would be red for that."""
    for each in DEFENCES:
        (tmp_path / each.name).with_suffix(Path(each.file).suffix).write_text(taken_out(each))
    ruff = Path(sys.executable).with_name("ruff")
    checked = subprocess.run(
        [
            ruff,
            "check",
            "--isolated",
            "--no-cache",
            "--select",
            "E9,F82",
            "--output-format=concise",
            tmp_path,
        ],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_every_test_is_there() -> None:
    for each in DEFENCES:
        file, _, name = each.test.partition("::")
        assert re.search(rf"^(async )?def {name.partition('[')[0]}\(", (ROOT / file).read_text(), re.M), each


def test_the_guarantees_name_every_entry_once() -> None:
    table = (ROOT / "docs/guarantees.md").read_text().partition("\n## Fault kinds\n")[2].partition("\n## ")[0]
    named = [name for row in COLUMNS.findall(table) for name in re.findall(r"`([a-z0-9-]+)`", row)]
    assert sorted(named) == sorted(each.name for each in DEFENCES)
