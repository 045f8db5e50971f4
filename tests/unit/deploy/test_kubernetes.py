"""The manifests are valid, give their pods few rights, and fit each other."""

import copy
from typing import Any

import kubernetes_validate
import pytest
from deployment import DOCKERFILE, container, deployments, manifests, secret
from starlette.datastructures import Headers

from backproof.cli.processes import GRACE_SECONDS
from backproof.settings import load_settings
from backproof.tasks.stopping import GIVE_BACK_SECONDS, LATE_SECONDS
from backproof.web.security import refusal

VERSION = "1.32"
ROLES = ("web", "worker", "scheduler")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def config() -> dict[str, str]:
    (only,) = manifests("ConfigMap")
    return dict(only["data"])


def pod(role: str) -> dict[str, Any]:
    return dict(deployments()[role]["spec"]["template"]["spec"])


def named(document: dict[str, Any]) -> str:
    return f"{document['kind']}-{document['metadata']['name']}"


@pytest.mark.parametrize("document", [*manifests(), secret()], ids=named)
def test_every_object_is_what_kubernetes_expects(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_a_mistake_in_one_would_be_seen() -> None:
    broken = copy.deepcopy(deployments()["web"])
    broken["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_all_of_it_is_there_in_one_namespace() -> None:
    kinds = [one["kind"] for one in manifests()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "Namespace": 1,
        "ConfigMap": 1,
        "Deployment": 3,
        "PodDisruptionBudget": 3,
        "Service": 1,
        "NetworkPolicy": 1,
    }
    (namespace,) = manifests("Namespace")
    others = [one for one in [*manifests(), secret()] if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in others} == {namespace["metadata"]["name"]}
    assert {name: one["spec"]["replicas"] for name, one in deployments().items()} == {
        "web": 2,
        "worker": 3,
        "scheduler": 2,
    }


@pytest.mark.parametrize("role", ROLES)
def test_pods_have_few_rights(role: str) -> None:
    """As the pod security standard `restricted` asks, which the namespace enforces."""
    assert pod(role)["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod(role)['securityContext']['runAsUser']}:" in DOCKERFILE.read_text()
    assert pod(role)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(role)["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod(role))
    context = container(deployments()[role])["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all("emptyDir" in volume for volume in pod(role)["volumes"])


@pytest.mark.parametrize("role", ROLES)
def test_pods_are_limited_and_probed(role: str) -> None:
    one = container(deployments()[role])
    assert set(one["resources"]["requests"]) == set(one["resources"]["limits"]) == {"cpu", "memory"}
    assert not one["image"].endswith(":latest")
    assert ":" in one["image"]
    assert all(one[probe]["timeoutSeconds"] >= 5 for probe in PROBES)
    start = one["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 60


@pytest.mark.parametrize("role", ROLES)
def test_a_service_in_the_namespace_changes_no_setting(role: str) -> None:
    """A Service called `web` would set WEB_PORT=tcp://… in every pod."""
    assert pod(role)["enableServiceLinks"] is False


def test_probes_of_the_web_process_use_a_name_that_it_answers_to() -> None:
    one = container(deployments()["web"])
    for probe in PROBES:
        get = one[probe]["httpGet"]
        assert get["port"] in [port["name"] for port in one["ports"]]
        headers = {header["name"]: header["value"] for header in get["httpHeaders"]}
        assert refusal(Headers(headers)) is None
    assert [one[probe]["httpGet"]["path"] for probe in PROBES] == ["/health/live", "/health/ready", "/health/live"]
    command = one["args"]
    assert one["ports"][0]["containerPort"] == int(command[command.index("--port") + 1])


def test_the_service_and_the_policy_lead_to_the_web_pods() -> None:
    labels = deployments()["web"]["spec"]["template"]["metadata"]["labels"]
    (service,), (policy,) = manifests("Service"), manifests("NetworkPolicy")
    assert service["spec"]["selector"] == policy["spec"]["podSelector"]["matchLabels"] == labels
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    assert service["spec"].get("type", "ClusterIP") == "ClusterIP", "nothing but the proxy reaches it"
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert policy["spec"]["ingress"][0]["from"], "without `from` everybody would be let in"


def test_an_eviction_is_always_possible_and_never_takes_all() -> None:
    for budget in manifests("PodDisruptionBudget"):
        spec, deployment = budget["spec"], deployments()[budget["metadata"]["name"]]
        assert spec["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == spec["selector"]["matchLabels"]
        replicas = deployment["spec"]["replicas"]
        may_go = replicas - spec["minAvailable"] if "minAvailable" in spec else spec["maxUnavailable"]
        assert 1 <= may_go < replicas


@pytest.mark.parametrize("role", ROLES)
def test_settings_come_from_the_config_and_the_secret(role: str) -> None:
    (map_,) = manifests("ConfigMap")
    sources = container(deployments()[role])["envFrom"]
    assert sources == [
        {"configMapRef": {"name": map_["metadata"]["name"]}},
        {"secretRef": {"name": secret()["metadata"]["name"]}},
    ]
    mounts = {mount["mountPath"] for mount in container(deployments()[role])["volumeMounts"]}
    assert mounts == {config()["DATA_DIR"], "/tmp"}


def test_no_secret_is_in_the_config() -> None:
    assert not {name for name in config() if "PASSWORD" in name or "KEY" in name or name.endswith("_URL")}


def test_nobody_is_killed_before_it_has_drained() -> None:
    drain = float(config()["WORKER_DRAIN_SECONDS"])
    grace = {role: pod(role)["terminationGracePeriodSeconds"] for role in ROLES}
    assert grace["worker"] > drain + LATE_SECONDS + GIVE_BACK_SECONDS + 0.5
    assert grace["web"] > float(config()["WEB_DRAIN_SECONDS"]) + GRACE_SECONDS + 2
    default = load_settings().worker_drain_seconds + LATE_SECONDS + GIVE_BACK_SECONDS + 0.5
    assert default < 30, "what Kubernetes gives where nothing is said"


def test_the_proxies_know_before_the_web_process_goes() -> None:
    ready = container(deployments()["web"])["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < float(config()["WEB_DRAIN_SECONDS"])


def test_the_limit_of_runs_is_what_the_workers_can_do() -> None:
    processes = deployments()["worker"]["spec"]["replicas"] * int(config()["WORKER_CONCURRENCY"])
    assert int(config()["MAX_CONCURRENT_BACKTESTS"]) == processes
