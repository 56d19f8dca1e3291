"""Solapi's Node SDK runs against the simulator unchanged, and holds every answer against its schemas."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.solapi.client import Simulator
from tests.integration.solapi import KEY, SECRET, SENDER

pytestmark = pytest.mark.slow

SOURCES = Path(__file__).with_name("node")
TYPES = ("CTA", "BMS_FREE", "RCS_SMS", "VOICE")  # not carried here
DEAF = ("0601234567", "15881234", "0130123456")  # take no text


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node.js and npm are not installed")
    folder = tmp_path_factory.mktemp("node") / "sdk"
    shutil.copytree(SOURCES, folder)
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    made = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300)
    if made.returncode:
        pytest.skip("the registry of npm cannot be reached, or has not this SDK")
    return folder


def test_every_call_of_the_node_sdk(installed: Path, simulator: Simulator) -> None:
    environ = {"SIMULATOR": simulator.url, "KEY": KEY, "SECRET": SECRET, "SENDER": SENDER}
    ran = subprocess.run(
        ["node", "calls.mjs"],
        cwd=installed,
        env=environ | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]
    errors = {(each["name"], each.get("given")): each for each in lines if "error" in each}
    refused = {("send", each) for each in (*TYPES, *DEAF)}
    assert set(errors) == refused | {("cancelInspectionKakaoAlimtalkTemplate", None)}
    for each in TYPES:
        assert errors["send", each]["message"].startswith("ValidationError"), each
    for each in DEAF:
        assert errors["send", each]["codes"] == ["1021"], each
    answers = {each["name"]: each["answer"] for each in lines if each.get("answer")}
    assert answers["getStatistics"]["total"]["sms"] >= 1
    assert answers["removeGroupMessages"]["errorCount"] == 0
    assert answers["getKakaoAlimtalkTemplate"]["content"] == "#{이름} 하원"
    assert {"01050000002", "050512345678"} <= {entry["to"] for entry in simulator.ledger()}
