"""A program that a file has taken over, in every set-up in which workers run: what it tries is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from clients.objects import _opened
from clients.settings import Settings
from tests.hostile import setups
from tests.hostile.attacks import ATTACKS, REFUSED
from tests.lab import PATIENCE
from workers import cages

# Who runs the tests cannot become root.
KINDS = ["user", "docker"] if os.geteuid() else ["root", "user", "docker"]
# Without Landlock: what a child of the same user as its worker can do is what that user can do with files.
OF_FILES = ("job", "shared copy", "source", "result", "secrets")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, which other users cannot enter."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        for path in ("cache/source.pdf", "other-job/page.txt", ".env"):
            file = Path(name, path)
            file.parent.mkdir(mode=0o700, exist_ok=True)
            file.write_text("untouched")
            file.chmod(0o600)
        yield Path(name)


def attacked(kind: str, folder: Path) -> dict[str, Any]:
    args = [sys.executable, "-m", setups.__name__, kind, str(folder)]
    environment = os.environ | {"R2_SECRET_ACCESS_KEY": "canary"}
    done = subprocess.run(args, capture_output=True, text=True, timeout=PATIENCE, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_taken_over_gets_nothing(kind: str, folder: Path) -> None:
    said = attacked(kind, folder)
    assert said["lacks"] == []
    for whom in ("child", "program"):
        assert {name: end for name, end in said[whom].items() if name in ATTACKS and end != REFUSED} == {}
        assert ATTACKS.keys() <= said[whom].keys()
    assert set(said["kept"].values()) == {"untouched"}


def test_a_kernel_without_landlock_is_told_and_keeps_the_worker(folder: Path) -> None:
    said = attacked("old", folder)
    assert said["lacks"] == ["limits on files (Landlock)"]
    for whom in ("child", "program"):
        done = [name for name in ATTACKS if said[whom][name] != REFUSED]
        assert [name for name in done if not any(word in name for word in OF_FILES)] == []


@pytest.mark.parametrize("wanted", ["best", "require"])
def test_what_a_host_lacks_is_said_and_may_end_the_worker(
    wanted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cages, "lacking", lambda scratch: ["limits on files (Landlock)"])
    scratch = tmp_path / "in-the-making" / "own"
    scratch.mkdir(parents=True)
    settings = Settings.model_construct(sandbox=wanted, work_dir=tmp_path)
    if wanted == "require":
        with pytest.raises(SystemExit, match="it lacks limits on files"):
            cages.check_cage(settings, scratch)
    else:
        cages.check_cage(settings, scratch)
        assert "it lacks limits on files" in caplog.text


def test_nothing_but_a_file_of_its_own_is_stored(tmp_path: Path) -> None:
    """However it came there: a link leads to what the worker may read, a pipe never ends."""
    file = tmp_path / "file"
    file.write_text("fine")
    with _opened(file) as opened:
        assert opened.read() == b"fine"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(file)
    for name in ("pipe", "link"):
        with pytest.raises(OSError):
            _opened(tmp_path / name)
    (tmp_path / "hard").hardlink_to(file)
    with pytest.raises(OSError):
        _opened(file)
