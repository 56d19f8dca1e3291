"""What a cluster would be told: read by Kubernetes' own schemas. No cluster was asked, no kustomize run."""

from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from clients.settings import Settings
from clients.settings_sources import SECRETS, Process, read
from contracts.scaling import QUEUES

K8S = Path(__file__).parents[2] / "deploy/k8s"
VERSION = "1.33"
PROCESSES = ("api", "bridge", "ops", "messaging", "video", "ai")


def documents(file: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(file.read_text()) if each]


@cache
def manifests() -> list[dict[str, Any]]:
    names = documents(K8S / "base/kustomization.yaml")[0]["resources"]
    files = {path.name for path in (K8S / "base").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(names) == files
    return [each for name in names for each in documents(K8S / "base" / name)]


def pod(process: str) -> dict[str, Any]:
    (found,) = (
        each["spec"]["template"]["spec"]
        for each in manifests()
        if each["kind"] in ("Deployment", "Job") and each["metadata"]["name"] == process
    )
    return dict(found)


def variables(process: str) -> dict[str, str]:
    (container,) = pod(process)["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_the_schema_takes_it() -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_the_schema_refuses_what_is_wrong() -> None:
    wrong = manifests()[1] | {"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("process", [*PROCESSES, "migrate"])
def test_a_pod_is_confined_and_has_its_own_secrets(process: str) -> None:
    spec = pod(process)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = container["securityContext"]
    assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    secrets = [each["secretRef"]["name"] for each in container["envFrom"] if "secretRef" in each]
    assert secrets == [process] and process in {each.value for each in SECRETS}
    given = {name.lower() for name in variables(process)}
    assert given <= Settings.model_fields.keys() and not given & SECRETS[Process.OPERATOR]
    assert (variables(process).get("SANDBOX") == "require") is (process in ("video", "ai"))


@pytest.mark.parametrize("process", PROCESSES)
def test_a_pod_is_asked_whether_it_takes_work(process: str) -> None:
    (container,) = pod(process)["containers"]
    (port,) = container["ports"]
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("readiness", "liveness")}
    assert asked == {
        "readiness": {"path": "/readyz", "port": port["name"]},
        "liveness": {"path": "/healthz", "port": port["name"]},
    }
    (template,) = (
        each["spec"]["template"]["metadata"]
        for each in manifests()
        if each["kind"] == "Deployment" and each["metadata"]["name"] == process
    )
    told = {name.removeprefix("prometheus.io/"): value for name, value in template["annotations"].items()}
    assert told == {"scrape": "true", "path": "/metrics", "port": str(port["containerPort"])}
    if process != "api":
        assert variables(process)["HEALTH_ADDRESS"] == f"0.0.0.0:{port['containerPort']}"


@pytest.mark.parametrize("process", PROCESSES)
def test_work_has_ended_before_its_pod(process: str) -> None:
    grace = Settings.model_fields["shutdown_grace_seconds"].default
    asked = int(variables(process).get("SHUTDOWN_GRACE_SECONDS", grace))
    assert asked + 30 <= pod(process)["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("where", ["cloud", "own"])
@pytest.mark.parametrize("process", PROCESSES)
def test_settings_and_secrets_are_whole(where: str, process: str) -> None:
    (kustomization,) = documents(K8S / where / "kustomization.yaml")
    (generated,) = kustomization["configMapGenerator"]
    told = dict(each.split("=", 1) for each in generated["literals"])
    assert not {name.lower() for name in told} & SECRETS[Process.OPERATOR]
    secrets = {
        name.upper(): "a:secret of 32 bytes or more by far"
        for name in SECRETS[Process(process)]
        - {"temporal_api_key", "temporal_tls_client_key_data", "oidc_client_secret"}
    }
    found = read(Settings, Process(process), told | variables(process) | secrets)
    assert found.db_user == f"academy_{process}" and found.temporal_tls is (where == "cloud")


def test_keda_scales_deployments_by_their_own_queues() -> None:
    scaled = {each["metadata"]["name"]: each["spec"] for each in documents(K8S / "keda/scaled.yaml")}
    assert set(scaled) == set(QUEUES)
    for kind, spec in scaled.items():
        assert spec["scaleTargetRef"] == {"name": kind} and pod(kind)
        assert spec["minReplicaCount"] >= 1  # nobody but a poller tells that a queue has work
        found = [trigger["metadata"] for trigger in spec["triggers"]]
        assert tuple(each["taskQueue"] for each in found) == QUEUES[kind]  # type: ignore[index]
        namespaces = {each["namespace"] for each in found}
    for where in ("cloud", "own"):
        (kustomization,) = documents(K8S / where / "kustomization.yaml")
        told = dict(each.split("=", 1) for each in kustomization["configMapGenerator"][0]["literals"])
        changes = "".join(each["patch"] for each in kustomization.get("patches", []))
        namespace = told["TEMPORAL_NAMESPACE"]
        assert namespace in changes or {namespace} == namespaces
