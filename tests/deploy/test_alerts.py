"""Alerts: each one fires for what it is about, and asks for nothing that nobody tells."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from api import metrics
from clients.database.accepting import Acceptance

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus"
OURS = re.compile(r"\b(?:api|jobs|reconciler|orphan|host|dead)_\w+")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"]
    return list(group["rules"])


def test_alerts_ask_for_what_the_api_tells() -> None:
    assert metrics.OLDEST in REGISTRY._collector_to_names
    told = {name for names in REGISTRY._collector_to_names.values() for name in names}
    for alert in alerts():
        asked = set(OURS.findall(alert["expr"])) - {"job_type"}
        assert asked and asked <= told, alert["alert"]
    assert Acceptance.MISMATCH in next(each["expr"] for each in alerts() if each["alert"] == "KeysReused")


def test_each_alert_is_fired_by_a_test_and_kept_quiet_by_another() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())["tests"]
    tried = [each for test in tests for each in test["alert_rule_test"]]
    names = {each["alert"] for each in alerts()}
    assert {each["alertname"] for each in tried if each["exp_alerts"]} == names
    assert {each["alertname"] for each in tried if not each["exp_alerts"]} == names


@pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not here: Debian has it in `prometheus`"
)
def test_promtool_agrees() -> None:
    for asked in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(["promtool", *asked], cwd=PROMETHEUS, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
