"""What of others reaches production, and an audit that is never green in silence."""

import importlib.util
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
SPEC = importlib.util.spec_from_file_location("audit", ROOT / ".ci/audit.py")
assert SPEC and SPEC.loader
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

# Compiled code of others in the image: a new one is a decision.
EVERYWHERE = {
    *("cffi", "charset-normalizer", "cryptography", "greenlet", "markupsafe", "protobuf", "psycopg-binary"),
    *("pydantic-core", "pyyaml", "sqlalchemy", "temporalio"),
}
IN_THE_CHILD = {  # what opens files of strangers
    *("lxml", "numpy", "onnxruntime", "opencv-python-headless", "pikepdf", "pillow", "pillow-heif"),
    *("pyclipper", "pypdfium2", "python-calamine", "shapely", "tesserocr"),
}
ELSEWHERE = {"async-timeout", "colorama", "tzdata"}  # for other Pythons and systems


def is_binary(name: str) -> bool:
    try:
        return "Root-Is-Purelib: false" in (distribution(name).read_text("WHEEL") or "")
    except PackageNotFoundError:
        assert name in ELSEWHERE, f"{name} is locked and not installed"
        return False


def test_the_compiled_code_in_the_image_is_what_was_looked_at() -> None:
    names = set(audit.locked(LOCK))
    assert {name for name in names if is_binary(name)} == EVERYWHERE | IN_THE_CHILD


def test_no_server_of_the_stack_reaches_production() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    stack = project[project.index("\nstack = [") : project.index("\ndev = [")]
    servers = {*re.findall(r'"([a-z0-9-]+)[=>]', stack)} - {"rich"}  # no server: typer draws with it as well
    assert len(servers) > 8 and not servers & set(audit.locked(LOCK))
    assert "requirements-dev" not in (ROOT / "Dockerfile").read_text()


def test_every_package_is_pinned_by_hash() -> None:
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        assert "==" in entry.splitlines()[0] and "--hash=sha256:" in entry, entry.splitlines()[0]


def answered(tmp_path: Path, *dependencies: dict[str, Any]) -> list[str]:
    (tmp_path / "lock").write_text("first==1.0\nsecond==2.0\n")
    (tmp_path / "answer").write_text(json.dumps({"dependencies": dependencies}))
    return [str(tmp_path / "lock"), str(tmp_path / "answer")]


def osv(tmp_path: Path, modified: datetime, fixed: str) -> str:
    record = {
        "id": "X-1",
        "modified": modified.isoformat(),
        "affected": [
            {
                "package": {"name": "Second", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
            }
        ],
    }
    with zipfile.ZipFile(tmp_path / "osv.zip", "w") as archive:
        archive.writestr("X-1.json", json.dumps(record))
    return str(tmp_path / "osv.zip")


FINE: dict[str, Any] = {"name": "first", "version": "1.0", "vulns": []}
SKIPPED = {"name": "second", "skip_reason": "Dependency not found on PyPI"}


def test_a_service_that_does_not_answer_is_no_clean_bill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip-audit ends with 0 and "No known vulnerabilities found" when it was told nothing."""
    asked = answered(tmp_path, FINE, SKIPPED)
    assert audit.main(*asked) == 2 and "NOT AUDITED" in capsys.readouterr().out
    now = datetime.now(UTC)
    assert audit.main(*asked, osv(tmp_path, now, "1.5")) == 0
    assert f"{now:%Y-%m-%d}" in capsys.readouterr().out
    assert audit.main(*asked, osv(tmp_path, now, "2.1")) == 1 and "X-1" in capsys.readouterr().out
    assert audit.main(*asked, osv(tmp_path, now - timedelta(days=40), "1.5")) == 2
    assert audit.main(asked[0], str(tmp_path / "none")) == 2


def test_a_known_hole_is_red(tmp_path: Path) -> None:
    second = {"name": "second", "version": "2.0", "vulns": [{"id": "Y-2"}]}
    assert audit.main(*answered(tmp_path, FINE, second)) == 1
    assert audit.main(*answered(tmp_path, FINE, {**second, "vulns": []})) == 0
