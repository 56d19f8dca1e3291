"""`make` says what it does, and throws nothing away before it can make it anew."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("Makefile", "requirements-bootstrap.lock", "requirements-dev.lock")


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """As a person types it: not as a part of the `make` that runs the tests."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, check=False)


def test_help_names_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    shown = {line.split()[1] for line in make("help").stdout.splitlines()}
    assert shown == set(targets[1].split())


@pytest.mark.parametrize("python", ["/nowhere/python3", "/usr/bin/false", ""])
def test_a_python_that_will_not_do_costs_no_environment(tmp_path: Path, python: str) -> None:
    for name in NEEDED:
        shutil.copy(ROOT / name, tmp_path)
    kept = tmp_path / ".venv" / "kept"
    kept.parent.mkdir()
    kept.touch()
    ran = make("dev", f"PYTHON={python}", folder=tmp_path)
    assert ran.returncode and "name it: make PYTHON=" in ran.stdout
    assert kept.exists()
