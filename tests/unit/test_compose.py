"""What Docker would run, as far as it can be known without Docker: read by the real `docker compose`
and the real hadolint. No image is pulled or started here."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from clients.connections import PostgresPart
from clients.settings import Settings
from clients.settings_sources import SECRETS as WHO_KNOWS
from clients.settings_sources import Process, read
from tests.lab import PATIENCE

ROOT = Path(__file__).parents[2]
PROCESSES = {
    "api": Process.API,
    "worker-video": Process.VIDEO,
    "worker-messaging": Process.MESSAGING,
    "worker-ai": Process.AI,
    "worker-ops": Process.OPS,
    "bridge": Process.BRIDGE,
    "migrate": Process.MIGRATE,
}
OURS = tuple(PROCESSES)
# Not handed out by compose: its Temporal and its models ask for none.
NOT_HERE = {"temporal_api_key", "temporal_tls_client_key_data", "model_api_key"}
EXAMPLE = re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
OPTIONAL = [name for name in EXAMPLE if name.startswith(("SOLAPI_", "SMTP_", "STAFF_", "OIDC_", "TENANT_"))]
SECRETS = [name for name in EXAMPLE if name not in OPTIONAL]


def compose(*arguments: str, env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """The program inside the wheel: the wheel's own wrapper always ends with 0."""
    spec = find_spec("compose")
    assert spec is not None and spec.submodule_search_locations
    env_file = folder / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    program = Path(spec.submodule_search_locations[0]) / "docker-compose"
    return subprocess.run(
        [
            program,
            "--project-directory",
            ROOT,
            "--env-file",
            env_file,
            "--profile",
            "*",
            "config",
            *arguments,
        ],
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The services, after anchors, merges and variables."""
    filled = {name: f"secret-{name}" for name in SECRETS}
    done = compose("--format", "json", env=filled, folder=tmp_path_factory.mktemp("compose"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def seconds(duration: str) -> float:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def test_example_is_complete(tmp_path: Path) -> None:
    done = compose("-q", env=dict.fromkeys(SECRETS, "x"), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", SECRETS)
def test_no_secret_has_a_default(missing: str, tmp_path: Path) -> None:
    done = compose("-q", env={name: "" if name == missing else "x" for name in SECRETS}, folder=tmp_path)
    assert done.returncode != 0
    assert f"required variable {missing} is missing a value: set " in done.stderr


def test_every_secret_is_asked_for() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert used - {"RELEASE"} == set(EXAMPLE)


@pytest.mark.parametrize("service", OURS)
def test_environment_is_the_settings(service: str, services: dict[str, Any]) -> None:
    environment = services[service]["environment"]
    names = {name.lower() for name in environment if not name.startswith("AWS_")}
    assert names <= Settings.model_fields.keys()
    process = PROCESSES[service]
    read(PostgresPart if process is Process.MIGRATE else Settings, process, environment)


@pytest.mark.parametrize("service", OURS)
def test_a_service_has_its_own_secrets_and_no_others(service: str, services: dict[str, Any]) -> None:
    given = {name.lower() for name in services[service]["environment"]}
    assert given & WHO_KNOWS[Process.OPERATOR] == WHO_KNOWS[PROCESSES[service]] - NOT_HERE
    values = [str(value) for value in services[service]["environment"].values()]
    role = PROCESSES[service].upper()
    own = "secret-DB_PASSWORD" + ("" if service == "migrate" else f"_{role}")
    assert own in values and not any(each.startswith("secret-DB_") for each in values if each != own)
    assert f"ROLE_PASSWORD_{role}" in services["roles"]["environment"] or service == "migrate"


def test_who_opens_files_of_strangers_is_caged_or_does_not_start(services: dict[str, Any]) -> None:
    for name in ("worker-video", "worker-ai"):
        assert services[name]["environment"]["SANDBOX"] == "require"


def test_networks_part_who_has_nothing_to_say_to_each_other(services: dict[str, Any]) -> None:
    on = {name: set(service["networks"]) for name, service in services.items()}
    assert {name for name in on if "database" in on[name]} == {*OURS, "postgres", "roles"}
    assert {name for name in on if "temporal-database" in on[name]} == {
        *("temporal", "temporal-schema", "temporal-postgres"),
    }
    text = (ROOT / "docker-compose.yml").read_text()
    inner = set(re.findall(r"^  ([\w-]+): \{internal: true\}$", text, re.M))
    assert inner == set().union(*on.values()) - {"internet", "published"}
    assert on["worker-video"].isdisjoint({"internet", "published"})  # it opens files of strangers
    assert on["bridge"].isdisjoint({"internet", "published"})
    assert {name for name in on if "published" in on[name]} == {
        name for name, service in services.items() if service.get("ports")
    }


def test_nothing_takes_the_whole_machine(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert 0 < int(service["mem_limit"]) <= 12 * 2**30, name
        assert 0 < service["pids_limit"] <= 512, name
        assert name not in OURS or service["cpus"], name


def test_parts_are_told_the_same(services: dict[str, Any]) -> None:
    ours, owner = services["api"]["environment"], services["migrate"]["environment"]
    assert services["postgres"]["environment"] == {
        "POSTGRES_DB": owner["DB_NAME"],
        "POSTGRES_USER": owner["DB_USER"],
        "POSTGRES_PASSWORD": owner["DB_PASSWORD"],
    }
    assert ours["DB_NAME"] == owner["DB_NAME"]
    assert services["temporal-namespace"]["environment"] == {
        "TEMPORAL_ADDRESS": ours["TEMPORAL_ADDRESS"],
        "TEMPORAL_NAMESPACE": ours["TEMPORAL_NAMESPACE"],
    }
    assert services["objects"]["environment"]["AWS_SECRET_ACCESS_KEY"] == ours["R2_SECRET_ACCESS_KEY"]
    assert services["objects"]["environment"]["S3_BUCKET"] == ours["R2_BUCKET"]
    assert "objects.localhost" in services["objects"]["networks"]["objects"]["aliases"]


def test_images_are_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"\d", tag), f"{name}: {service['image']}"


def test_ports_are_open_to_this_machine_only(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_containers_are_confined(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    for name in OURS:
        service = services[name]
        assert service["read_only"] and service["init"] and service["tmpfs"] == ["/tmp"], name
        assert service["user"] == "10001:10001", name


def test_scratch_space_is_a_volume(services: dict[str, Any]) -> None:
    worker = services["worker-video"]
    assert worker["environment"]["WORK_DIR"] in {volume["target"] for volume in worker["volumes"]}


def test_a_worker_is_asked_whether_it_takes_work(services: dict[str, Any]) -> None:
    for name, process in PROCESSES.items():
        if process in (Process.API, Process.MIGRATE):
            continue
        address = services[name]["environment"]["HEALTH_ADDRESS"]
        assert "watch" in services[name]["networks"] and not services[name].get("ports")
        local = address.replace("0.0.0.0", "127.0.0.1")
        assert f"http://{local}/readyz" in services[name]["healthcheck"]["test"][-1], name


def test_stopping_waits_for_running_work(services: dict[str, Any]) -> None:
    for name in ("worker-video", "worker-ops", "bridge"):
        grace = float(services[name]["environment"]["SHUTDOWN_GRACE_SECONDS"])
        assert seconds(services[name]["stop_grace_period"]) > grace, name


def test_waiting_is_for_a_checked_service_or_a_job(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], f"{name} waits for {needed}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert services[needed]["restart"] == "no", f"{name} waits for {needed}"


def test_mounted_files_exist(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists() and volume["read_only"]


def test_queues_are_those_of_the_settings() -> None:
    text = (ROOT / "deploy/elasticmq.conf").read_text()
    fields = [field for name, field in Settings.model_fields.items() if "sqs_queue" in name]
    names = [field.default for field in fields if field.default]  # others are queues of newer producers
    assert len(names) == 5
    with_dlq = re.findall(
        r"^  ([\w-]+) \{ deadLettersQueue \{ name = ([\w-]+), maxReceiveCount = 100", text, re.M
    )
    plain = re.findall(r"^  ([\w-]+) \{\}$", text, re.M)
    assert dict(with_dlq) == {name: f"{name}-dlq" for name in names}
    assert sorted(plain) == sorted(f"{name}-dlq" for name in names)


def test_fair_queues_have_one_partition() -> None:
    text = (ROOT / "deploy/temporal/dynamicconfig.yaml").read_text()
    sections = dict(re.findall(r"^([\w.]+):\n((?:  .*\n)+)", text, re.M))
    assert sections["matching.enableFairness"] == "  - value: true\n"
    for side in ("Read", "Write"):
        section = sections[f"matching.numTaskqueue{side}Partitions"]
        queues = re.findall(r"  - value: 1\n    constraints: \{taskQueueName: ([\w-]+)\}\n", section)
        assert set(queues) == {"video-encode", "ai", "ai-gpu", "messaging"}


def test_search_attributes_are_created() -> None:
    script = (ROOT / "deploy/temporal/namespace.sh").read_text()
    assert "for attribute in TenantId JobType Stage; do" in script
    assert "--retention 7d" in script


def test_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "")


def test_image_holds_the_programs_and_nothing_else() -> None:
    """What may be copied starts from nothing, and is what the Dockerfile copies: all that we ship."""
    packages = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    )
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.M))
    assert rules[0] == "*"
    assert allowed == copied == packages - {"devstack"} | {"migrations", "alembic.ini", "requirements.lock"}
    assert "\nUSER 10001:10001\n" in dockerfile
