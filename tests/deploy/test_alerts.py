"""Alerts and dashboards: each alert fires for what it is about, and nothing asks for what nobody tells."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from api import metrics as of_the_api
from clients import metrics as of_all
from clients.database.accepting import Acceptance
from contracts.jobs import JobState
from contracts.names import TaskQueue
from tests.pages import OF_THE_SDK

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = [
    rule
    for file in ("rules.yaml", "alerts.yaml")
    for group in yaml.safe_load((PROMETHEUS / file).read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
ON_PAPER = ("alerts_test.yaml", "days_test.yaml")
WORDS = {"and", "or", "unless", "by", "on", "group_left", "bool"}


def series(expression: str) -> set[str]:
    """The names of series in an expression of Prometheus."""
    text = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', "", re.sub(r'\{([^}"]|"[^"]*")*\}', "", expression))
    text = re.sub(r"\b(by|on|group_left) *\([^)]*\)", "", text)
    return set(re.findall(r"(?<![\w:])[a-z_][\w:]*(?! *\()(?![\w:])", text)) - WORDS


def told() -> set[str]:
    assert of_the_api.OLDEST in REGISTRY._collector_to_names
    assert of_all.ENDED in REGISTRY._collector_to_names
    ours = {name for names in REGISTRY._collector_to_names.values() for name in names}
    return ours | OF_THE_SDK | {rule["record"] for rule in RULES if "record" in rule}


def test_names_are_found_in_expressions() -> None:
    asked = 'histogram_quantile(0.9, sum by (le, a) (rate(x_bucket{b=~"c.*|{d}"}[5m])))'
    assert series(f"{asked} > 2 * slo:y:ratio5m or vector(0)") == {"x_bucket", "slo:y:ratio5m"}
    assert series("max by (k) (a * on (i) group_left () b) unless absent(c{d='e'})") == {"a", "b", "c"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_for_what_is_told(rule: dict[str, Any]) -> None:
    asked = series(rule["expr"])
    assert asked and asked <= told()


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_dashboards_ask_for_what_is_told(file: Path) -> None:
    board = json.loads(file.read_text())
    assert board["uid"] == f"academy-{file.stem}"
    corners = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in board["panels"]]
    assert len(set(corners)) == len(corners), "none lies on another"
    for panel in board["panels"]:
        for target in panel["targets"]:
            asked = series(target["expr"])
            assert asked and asked <= told(), f"{panel['title']}: {asked - told()}"
            assert target["datasource"]["uid"] == "prometheus"


def test_there_is_a_dashboard_for_each_part() -> None:
    assert [file.stem for file in DASHBOARDS] == ["fleet", "lectures", "messages", "servers"]


def test_values_of_labels_are_those_of_the_code() -> None:
    """Prometheus takes any: one that nobody tells is an alert that never fires."""
    text = "".join(str(rule["expr"]) for rule in RULES) + "".join(file.read_text() for file in DASHBOARDS)
    text = text.replace('\\"', '"')
    assert set(re.findall(r'acceptance="(\w+)"', text)) <= set(Acceptance)
    assert set(re.findall(r'state!?="(\w+)"', text)) <= set(JobState)
    bounds = {
        "lecture_playable_seconds_per_minute": of_all.PLAYABLE_PER_MINUTE,
        "notice_delivered_seconds": of_all.DELIVERED,
    }
    found = set(re.findall(r'(\w+)_bucket\{le="([\d.]+)"\}', text))
    assert {name for name, _ in found} == bounds.keys()
    for name, bound in found:
        assert float(bound) in bounds[name]._upper_bounds, f"{name} has no bucket of {bound}"
    (disk,) = [rule["expr"] for rule in ALERTS if rule["alert"] == "DiskFull"]
    (by,) = re.findall(r'by=~"([^"]+)"', disk)
    hindered = {
        each for each in [*TaskQueue, "process", "temporal", "breaker", "stop"] if re.fullmatch(by, each)
    }
    assert hindered == {TaskQueue.VIDEO_ENCODE, TaskQueue.AI, TaskQueue.AI_GPU}


def test_each_alert_is_fired_by_a_test_and_kept_quiet_by_another() -> None:
    files = [yaml.safe_load((PROMETHEUS / name).read_text()) for name in ON_PAPER]
    tried = [each for file in files for test in file["tests"] for each in test["alert_rule_test"]]
    names = {each["alert"] for each in ALERTS}
    assert {each["alertname"] for each in tried if each["exp_alerts"]} == names
    assert {each["alertname"] for each in tried if not each["exp_alerts"]} == names


def test_an_alert_says_where_to_read_on() -> None:
    for alert in ALERTS:
        for page, anchor in re.findall(r"(docs/[\w-]+\.md)#([\w-]+)", alert["annotations"]["summary"]):
            headings = re.findall(r"^#+ (.+)$", (DEPLOY.parent / page).read_text(), re.M)
            anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{alert['alert']}: {page}#{anchor}"


def test_compose_has_the_targets_of_prometheus() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    ports = {name: each["port"] for each in job["dns_sd_configs"] for name in each["names"]}
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    ours = {name for name, each in services.items() if "watch" in (each.get("networks") or ())}
    assert ports.keys() == ours and ports.pop("api") == 8000 and set(ports.values()) == {8090}
    assert {Path(name).name for name in config["rule_files"]} == {"rules.yaml", "alerts.yaml"}


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not here: Debian has it in `prometheus`"
)
def test_promtool_agrees() -> None:
    for asked in (["check", "rules", "rules.yaml", "alerts.yaml"], ["test", "rules", *ON_PAPER]):
        done = subprocess.run(["promtool", *asked], cwd=PROMETHEUS, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
