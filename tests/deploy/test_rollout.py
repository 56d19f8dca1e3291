"""The rollout on one host, with a `docker` that notes what it was asked for: no engine is at hand."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKER = """#!/bin/sh
echo "${RELEASE:-} $*" >> "$NOTES"
case "$*" in
    *"ps --services"*) printf '%s\\n' $RUNNING ;;
    *"ps --quiet"*) echo c0ffee ;;
    inspect*) echo registry.example:5000/academy-workflows:0.5.0 ;;
    *$FAILS) [ "${RELEASE:-}" = "$OLD_FAILS" ] || [ "$RELEASE" = 0.6.0 ] && exit 1 ;;
esac
exit 0
"""
ALL = "postgres api bridge worker-ops worker-video worker-ai"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A checkout on a machine where 0.5.0 runs."""
    (tmp_path / "deploy" / "host").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "host" / "rollout.sh", tmp_path / "deploy" / "host")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    secrets = tmp_path / ".env"
    secrets.write_text("DB_PASSWORD=x\nRELEASE=0.5.0\n")
    secrets.chmod(0o600)
    return tmp_path


def roll(
    host: Path, release: str = "0.6.0", fails: str = "nothing", old_fails: str = "-", running: str = ALL
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What it said, and what docker was asked to do: release, command, service."""
    notes = host / "notes"
    environment = {
        "PATH": f"{host / 'bin'}:{os.environ['PATH']}",
        "NOTES": str(notes),
        "FAILS": fails,
        "OLD_FAILS": old_fails,
        "RUNNING": running,
    }
    command = [host / "deploy" / "host" / "rollout.sh", release]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    asked = notes.read_text().splitlines() if notes.exists() else []
    return done, [line.replace("compose --profile messaging ", "") for line in asked if line[0] != " "]


def ups(asked: list[str]) -> list[str]:
    return [f"{line.split()[0]} {line.split()[-1]}" for line in asked if " up " in line]


def test_in_order_and_kept(host: Path) -> None:
    done, asked = roll(host)
    assert done.returncode == 0, done.stderr
    assert asked[0].startswith("0.6.0 pull") and "worker-messaging" not in asked[0]
    assert [line.rpartition(" ")[2] for line in asked[1:3]] == ["migrate", "roles"]
    order = ["worker-ops", "worker-video", "worker-ai", "bridge", "api"]
    assert ups(asked) == [f"0.6.0 {each}" for each in order]
    assert (host / ".env").read_text() == "DB_PASSWORD=x\nRELEASE=0.6.0\n"
    assert (host / ".env").stat().st_mode & 0o777 == 0o600


def test_one_that_takes_no_work_brings_back_all(host: Path) -> None:
    done, asked = roll(host, fails="worker-ai")
    assert done.returncode == 1 and "back to 0.5.0" in done.stderr
    assert ups(asked)[-3:] == ["0.5.0 worker-ops", "0.5.0 worker-video", "0.5.0 worker-ai"]
    assert "0.6.0 bridge" not in ups(asked)
    assert "RELEASE=0.5.0" in (host / ".env").read_text()


def test_when_the_old_one_fails_too_a_person_is_asked(host: Path) -> None:
    done, _ = roll(host, fails="worker-ops", old_fails="0.5.0")
    assert done.returncode == 3 and "look at it" in done.stderr


@pytest.mark.parametrize("step", ["bridge api", "migrate", "roles"])
def test_what_fails_before_the_first_restart_changes_nothing(host: Path, step: str) -> None:
    done, asked = roll(host, fails=step)
    assert done.returncode and ups(asked) == []


def test_what_is_no_release_is_refused(host: Path) -> None:
    assert [roll(host, each)[0].returncode for each in ("", "-x", "0.6;id", "a b")] == [2, 2, 2, 2]
    done, asked = roll(host, running="postgres")
    assert done.returncode == 1 and "nothing runs here" in done.stderr and not asked
