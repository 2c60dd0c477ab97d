"""What a cluster of Kubernetes is sent, by the chart and by the plain manifests: the same, valid, and as flowd is."""

import json
import os
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from flowd.api.access import ACCESS
from flowd.node.api_server import GOODBYE_SECONDS
from flowd.node.status_file import NodeStatus
from flowd.settings.catalogue import catalogue
from flowd.settings.load import load_settings
from flowd.settings.model import Settings
from tests.architecture.source_file import REPOSITORY
from tests.architecture.test_dockerfile import DOCKERFILE, instructions, last
from tests.docs.pages import blocks
from tests.support.kubernetes_objects import (
    CHART,
    MANIFESTS,
    SECRET,
    Object,
    container_of,
    environment,
    kustomized,
    of_kind,
    plain,
    pods,
    rendered,
    values_at,
    with_components,
)

SECRETS = {
    "database-url": "postgresql://flowd:a-password@db/flowd",
    "secret-key": "0123456789abcdef0123456789abcdef",
    "fernet-key": "YWNjZXB0YW5jZS1mZXJuZXQta2V5LTAxMjM0NTY3ODk=",
    "admin-password": "a-password",
}
SPARE_SECONDS = 20
"""What a pod needs beyond all that it waits for."""

OLDEST = "1.25"
CUSTOM = {"ScaledObject", "TriggerAuthentication", "ServiceMonitor"}
"""Kinds that operators bring; Kubernetes has no schema of them."""

HOST = {"enabled": True, "className": "nginx", "host": "flowd.example.com", "tlsSecretName": "flowd-tls"}
ALIKE: Mapping[str, Mapping[str, Any]] = {
    "ingress": {"ingress": HOST},
    "keda": {"worker": {"keda": {"enabled": True}}},
    "network-policy": {"networkPolicy": {"enabled": True}},
    "service-monitor": {"serviceMonitor": {"enabled": True}},
    "log-bucket": {"logs": {"bucket": "s3://our-bucket/task-logs"}},
    "dag-volume": {"dags": {"existingClaim": "flowd-dags"}},
}
"""For each component of the manifests, the values of the chart that say the same."""

EVERYTHING = {
    **{key: value for values in ALIKE.values() for key, value in values.items()},
    "workerGroups": {
        "gpu": {"queues": ["gpu", "default"], "concurrency": 4, "drainTimeoutSeconds": 3600, "killGraceSeconds": 45}
    },
    "config": {"FLOWD__SCHEDULER__RETENTION": "90d", "FLOWD__METRICS__BY_DAG": "true"},
}


def sent() -> Iterator[tuple[str, list[Object]]]:
    yield "chart", rendered({})
    yield "chart with everything", rendered(EVERYTHING)
    yield "base", kustomized(MANIFESTS / "base")
    yield "example", kustomized(MANIFESTS / "example")


@pytest.fixture(params=["chart", "chart with everything", "base", "example"])
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return dict(sent())[request.param]


def settings_of(name: str, objects: list[Object], folder: Path) -> Settings:
    """The settings of a pod, read as its node reads them."""
    home = {"FLOWD_HOME": str(folder)}
    return load_settings({**environment(pods(objects)[name], objects, SECRETS), **home}, folder=folder)


def test_the_chart_and_the_manifests_are_one_and_the_same() -> None:
    assert plain(rendered({})) == plain(kustomized(MANIFESTS / "base"))


@pytest.mark.parametrize("component", ALIKE)
def test_each_component_is_what_the_chart_makes_of_a_value(component: str, tmp_path: Path) -> None:
    ours, charts = plain(with_components([component], tmp_path)), plain(rendered(ALIKE[component]))

    assert ours == charts
    assert ours != plain(kustomized(MANIFESTS / "base"))


def test_there_are_no_other_components() -> None:
    assert {folder.name for folder in (MANIFESTS / "components").iterdir()} == set(ALIKE)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_object_is_valid_and_has_no_field_that_kubernetes_does_not_know(
    objects: list[Object], version: str
) -> None:
    for one in objects:
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)

    assert {"Deployment", "Service", "PodDisruptionBudget", "Job", "ConfigMap"} <= {one["kind"] for one in objects}


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    (job,) = of_kind(kustomized(MANIFESTS / "base"), "Job").values()
    spoilt = json.loads(json.dumps(job).replace("restartPolicy", "restartPolicies"))

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spoilt, OLDEST, strict=True)


def test_the_chart_is_for_the_versions_that_were_tried() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}.0-0"


def test_flowd_accepts_the_settings_of_every_pod(objects: list[Object], tmp_path: Path) -> None:
    settings = {name: settings_of(name, objects, tmp_path) for name in pods(objects)}

    roles = {name: list(one.node.roles) for name, one in settings.items() if not name.endswith("migrate")}
    assert {name: role for name, role in roles.items() if name != "flowd-worker-gpu"} == {
        "flowd-api": ["api"],
        "flowd-scheduler": ["scheduler"],
        "flowd-worker": ["worker"],
    }
    assert [one.warnings for one in settings.values() if one.warnings] == []


def test_a_pod_has_as_long_as_its_node_takes_to_drain(objects: list[Object], tmp_path: Path) -> None:
    for name, pod in pods(objects).items():
        settings, grace = settings_of(name, objects, tmp_path), pod["spec"].get("terminationGracePeriodSeconds")
        if settings.node.roles == ("worker",):
            needed = (settings.worker.drain_timeout + settings.worker.kill_grace).total_seconds()
        elif settings.node.roles == ("api",):
            asleep, seconds = container_of(pod)["lifecycle"]["preStop"]["exec"]["command"]
            assert asleep == "sleep"
            needed = int(seconds) + GOODBYE_SECONDS
        else:
            needed = 0
        assert grace is None or grace >= needed + SPARE_SECONDS, name
        assert grace is not None or needed == 0, name


def test_what_has_no_secret_holds_none(objects: list[Object]) -> None:
    secret = {info.variable for info in catalogue().values() if info.is_secret}
    variables = [one for pod in pods(objects).values() for one in container_of(pod)["env"]]

    assert [one for one in variables if one["name"] in secret and set(one) != {"name", "valueFrom"}] == []
    assert {one["valueFrom"]["secretKeyRef"]["name"] for one in variables if "valueFrom" in one} == {SECRET}
    assert of_kind(objects, "Secret") == {}
    assert [one["data"].keys() & secret for one in of_kind(objects, "ConfigMap").values()] == [set()]
    assert [url for url in values_at(objects, "value") if "://" in str(url)] == []


def test_selectors_find_their_own_pods_and_no_others(objects: list[Object]) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(objects).items()}

    def found(selector: Mapping[str, str]) -> set[str]:
        return {name for name, has in labels.items() if selector.items() <= has.items()}

    for name, one in of_kind(objects, "Deployment", "PodDisruptionBudget").items():
        assert found(one["spec"]["selector"]["matchLabels"]) == {name}
    for name, one in of_kind(objects, "Deployment").items():
        spread = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [found(constraint["labelSelector"]["matchLabels"]) for constraint in spread] == [{name}, {name}]
    for one in of_kind(objects, "Service").values():
        assert found(one["spec"]["selector"]) == {"flowd-api"}
    closed = [one["spec"]["podSelector"]["matchLabels"] for one in of_kind(objects, "NetworkPolicy").values()]
    assert closed == [] or sorted((found(one) for one in closed), key=len) == [{"flowd-api"}, set(labels)]


def test_what_one_object_names_of_another_is_there(objects: list[Object]) -> None:
    services, claims = of_kind(objects, "Service"), of_kind(objects, "PersistentVolumeClaim")
    ports = {port["name"] for pod in pods(objects).values() for port in container_of(pod).get("ports", ())}

    assert {one["port"]["name"] for one in values_at(objects, "service") if "port" in one} <= ports == {"http"}
    assert {one["name"] for one in values_at(objects, "service") if "port" in one} <= set(services)
    assert [port["targetPort"] for one in services.values() for port in one["spec"]["ports"]] == ["http"]
    assert {one["claimName"] for one in values_at(objects, "persistentVolumeClaim")} <= {*claims, "flowd-dags"}
    assert set(values_at(objects, "serviceAccountName")) <= set(of_kind(objects, "ServiceAccount"))
    for one in of_kind(objects, "ScaledObject").values():
        assert one["spec"]["scaleTargetRef"]["name"] in of_kind(objects, "Deployment")
    for one in of_kind(objects, "ServiceMonitor").values():
        (service,) = services.values()
        assert one["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [endpoint["port"] for endpoint in one["spec"]["endpoints"]] == ["http"]
        assert all(f"GET {endpoint['path']}" in ACCESS for endpoint in one["spec"]["endpoints"])
        # The alerts and the dashboard select this job.
        assert service["metadata"]["labels"][one["spec"]["jobLabel"]] == "flowd"


def test_whoever_may_be_disturbed_leaves_one_that_works(objects: list[Object]) -> None:
    deployments, budgets = of_kind(objects, "Deployment"), of_kind(objects, "PodDisruptionBudget")

    assert set(deployments) == set(budgets)
    for name, one in deployments.items():
        if "replicas" in one["spec"]:
            assert one["spec"]["replicas"] - budgets[name]["spec"]["maxUnavailable"] >= 1
        assert one["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_all_pods_are_of_the_image_of_this_version(objects: list[Object]) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]

    (image,) = set(values_at(objects, "image"))

    assert re.fullmatch(rf"(registry\.example\.com/)?flowd:{re.escape(version)}", image)
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version


def test_pods_are_closed_and_write_where_the_image_writes(objects: list[Object]) -> None:
    user, home = last(DOCKERFILE.read_text(), "USER"), re.search(r"FLOWD_HOME=(\S+)", DOCKERFILE.read_text())
    assert home is not None
    for pod in pods(objects).values():
        spec, container = pod["spec"], container_of(pod)
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        volumes = {volume["name"] for volume in spec["volumes"]}

        assert spec["securityContext"]["runAsNonRoot"] is True
        assert str(spec["securityContext"]["runAsUser"]) == user
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
        assert {home[1], "/tmp"} <= writable
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}
    assert {one["automountServiceAccountToken"] for one in of_kind(objects, "ServiceAccount").values()} == {False}


def test_pods_write_their_logs_to_a_volume_that_they_have(objects: list[Object], tmp_path: Path) -> None:
    for name, pod in pods(objects).items():
        folder = settings_of(name, objects, tmp_path).logs.folder
        mounts = [Path(mount["mountPath"]) for mount in container_of(pod)["volumeMounts"]]

        assert name.endswith("migrate") or any(folder.is_relative_to(mount) for mount in mounts)


def test_the_pods_of_the_api_are_asked_for_what_there_is(objects: list[Object]) -> None:
    container = container_of(pods(objects)["flowd-api"])
    exposed = [{"name": "http", "containerPort": int(last(DOCKERFILE.read_text(), "EXPOSE"))}]

    asked = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}

    assert asked == {"startupProbe": "/livez", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    assert all(f"GET {path}" in ACCESS for path in asked.values())
    assert container["ports"] == exposed


def answer(command: list[str], asked: str, status: Path) -> bool:
    """Whether a probe that asks the file would be content with this one."""
    here = [word.replace(asked, str(status)) for word in command]
    return subprocess.run(here, capture_output=True, check=False).returncode == 0


def test_the_other_pods_are_asked_for_the_file_that_their_node_keeps(objects: list[Object], tmp_path: Path) -> None:
    status = tmp_path / "status"
    for name in set(pods(objects)) - {"flowd-api", "flowd-migrate"}:
        container = container_of(pods(objects)[name])
        asked = environment(pods(objects)[name], objects, SECRETS)["FLOWD__NODE__STATUS_FILE"]
        probes = {probe: container[probe]["exec"]["command"] for probe in container if probe.endswith("Probe")}
        assert set(probes) == {"startupProbe", "readinessProbe", "livenessProbe"}

        def content(words: str | None, age_seconds: int, asked: str = asked, probes: Any = probes) -> set[str]:
            status.unlink(missing_ok=True)
            if words is not None:
                status.write_text(f"{words}\n")
                os.utime(status, times=(time.time() - age_seconds,) * 2)
            return {probe for probe, command in probes.items() if answer(command, asked, status)}

        assert content(None, 0) == set()
        assert content(NodeStatus.STARTING, 3) == {"livenessProbe"}
        assert content(NodeStatus.READY, 3) == set(probes)
        assert content(NodeStatus.STOPPING, 3) == {"livenessProbe"}
        assert content(NodeStatus.READY, 300) == {"startupProbe", "readinessProbe"}
        assert (
            asked.startswith("/run/flowd/") and {"name": "run", "mountPath": "/run/flowd"} in container["volumeMounts"]
        )


def test_keda_asks_what_the_guide_explains() -> None:
    (guide,) = [
        yaml.safe_load(one.text) for one in blocks(REPOSITORY / "docs/how-to/autoscale.md") if one.info == "yaml"
    ]
    explained = {
        one["type"]: one["metadata"]["query"] for one in guide["spec"]["triggers"] if "query" in one["metadata"]
    }
    objects = rendered({"worker": {"keda": {"enabled": True}, "concurrency": 30}})
    (scaled,) = of_kind(objects, "ScaledObject").values()
    (trigger,) = scaled["spec"]["triggers"]

    assert " ".join(trigger["metadata"]["query"].split()).replace(
        "queue IN ('default')", "queue = 'default'"
    ) == " ".join(explained["postgresql"].split())
    assert trigger["metadata"]["targetQueryValue"] == "30"
    assert "replicas" not in of_kind(objects, "Deployment")["flowd-worker"]["spec"]


def test_every_file_is_a_part_of_what_is_sent() -> None:
    named = {
        (folder / name).resolve()
        for folder in (MANIFESTS / "base", *(MANIFESTS / "components").iterdir(), MANIFESTS / "example")
        for name in yaml.safe_load((folder / "kustomization.yaml").read_text()).get("resources", ())
    }
    files = set(chain(MANIFESTS.rglob("*.yaml"))) - set(MANIFESTS.rglob("kustomization.yaml"))

    assert files == {one for one in named if one.is_file()}


def test_a_container_starts_what_the_image_starts(objects: list[Object]) -> None:
    entry = [rest for word, rest in instructions(DOCKERFILE.read_text()) if word == "ENTRYPOINT"]
    commands = {name: container_of(pod)["args"] for name, pod in pods(objects).items()}

    assert entry == ['["tini", "--", "flowd"]']
    assert all("command" not in container_of(pod) for pod in pods(objects).values())
    assert {name: one for name, one in commands.items() if one != ["run"]} == {"flowd-migrate": ["db", "migrate"]}
