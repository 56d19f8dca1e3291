"""Clients that generators make of our OpenAPI document: made without a loss, and used for a lecture."""

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from api.app import app as described
from devstack.app import App
from devstack.stack import ROOT
from tests.api.conftest import Caller
from tests.lab import CLIP

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SOURCES = Path(__file__).with_name("generated")
# Not among our own packages: it wants an older one of those that we ship.
GENERATOR = ("--from", "openapi-python-client==0.29.1", "openapi-python-client")


async def ran(folder: Path, *command: str | Path, env: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | (env or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return said


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(described.openapi()))
    return path


async def test_a_python_client(academy: Caller, app: App, document: Path, tmp_path: Path) -> None:
    """What it leaves out are the workbooks, whose content it has no name for."""
    generate = ROOT / ".venv" / "uv" / "bin" / "uvx", *GENERATOR
    try:
        await ran(tmp_path, *generate, "--version")
    except (AssertionError, FileNotFoundError):
        pytest.skip("the package index cannot be reached, or `make` has not put uv into .venv")
    options = ("--path", document, "--output-path", tmp_path / "lectures", "--meta", "none")
    said = await ran(tmp_path, *generate, "generate", *options)
    lost = re.findall(r"WARNING parsing (\S+ \S+)", said)
    assert [each for each in lost if not each.endswith(".xlsx")] == []
    env = {"API": app.api_url, "KEY": academy.key, "PYTHONPATH": str(tmp_path)}
    assert (await ran(tmp_path, sys.executable, SOURCES / "calls.py", CLIP, env=env)).split() == [
        "DONE",
        "READY",
    ]


async def test_a_typescript_client(academy: Caller, app: App, document: Path, tmp_path: Path) -> None:
    """Strict, so a field that the document lacks or calls otherwise does not compile."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node.js and npm are not installed")
    folder = tmp_path / "client"
    shutil.copytree(SOURCES, folder)
    try:
        await ran(folder, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    except AssertionError:
        pytest.skip("the registry of npm cannot be reached, or has not these packages")
    made = folder / "node_modules" / ".bin"
    await ran(folder, made / "openapi-typescript", document, "-o", "schema.d.ts")
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", "--skipLibCheck"]
    await ran(folder, made / "tsc", *options, "calls.ts")
    env = {"API": app.api_url, "KEY": academy.key}
    assert (await ran(folder, node, "calls.js", CLIP, env=env)).split() == ["DONE", "READY"]
