"""The objects that config/helm/flowd and config/kubernetes make, as a cluster is sent them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "config" / "helm" / "flowd"
MANIFESTS = ROOT / "config" / "kubernetes"
SECRET = "flowd"
"""What the Secret is called, in the manifests and by `A_SECRET`."""

A_SECRET: Mapping[str, Any] = {"existingSecret": SECRET}

Object = dict[str, Any]


class ChartRefused(Exception):
    """The chart does not take these values."""


def ask_chart(*values: Mapping[str, Any]) -> dict[str, Any]:
    """What Helm has to say of the chart (`lint`), and its answer for each of the values (`answers`)."""
    renderer = Path(__file__).with_name("chart_renderer.py")
    done = subprocess.run(
        [sys.executable, str(renderer), str(CHART)],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def rendered(values: Mapping[str, Any]) -> list[Object]:
    """The objects that the chart makes of these values beside A_SECRET; raise ChartRefused where it makes none."""
    return _rendered(json.dumps({**A_SECRET, **values}))


@cache
def _rendered(values: str) -> list[Object]:
    (answer,) = ask_chart(json.loads(values))["answers"]
    if "error" in answer:
        raise ChartRefused(answer["error"])
    return [one for name, text in answer["files"].items() if name.endswith(".yaml") for one in documents(text)]


@cache
def kustomized(folder: Path) -> list[Object]:
    """The objects that kubectl makes of a folder with a kustomization."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kubectl")), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def with_components(components: Sequence[str], folder: Path) -> list[Object]:
    """The objects of the base with these components, by a kustomization that is written to `folder`."""
    there = Path(os.path.relpath(MANIFESTS, folder.resolve()))
    wanted = {
        "resources": [str(there / "base")],
        "components": [str(there / "components" / name) for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(wanted))
    return kustomized(folder)


def documents(text: str) -> list[Object]:
    """The objects of a text of YAML."""
    return [one for one in yaml.safe_load_all(text) if one]


def of_kind(objects: Sequence[Object], *kinds: str) -> dict[str, Object]:
    """Those of these kinds, by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] in kinds}


def pods(objects: Sequence[Object]) -> dict[str, Object]:
    """The templates of pods, by the name of what makes the pods."""
    return {name: one["spec"]["template"] for name, one in of_kind(objects, "Deployment", "Job").items()}


def container_of(pod: Object) -> Object:
    """The only container of a template."""
    (container,) = pod["spec"]["containers"]
    return dict(container)


def environment(pod: Object, objects: Sequence[Object], secret: Mapping[str, str]) -> dict[str, str]:
    """What the container of the template is started with, where the Secret holds that."""
    container, maps = container_of(pod), of_kind(objects, "ConfigMap")
    variables: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        variables |= maps[source["configMapRef"]["name"]]["data"]
    for one in container["env"]:
        if "value" in one:
            variables[one["name"]] = one["value"]
            continue
        wanted = one["valueFrom"]["secretKeyRef"]
        assert wanted["name"] == SECRET
        if wanted["key"] in secret or not wanted.get("optional"):
            variables[one["name"]] = secret[wanted["key"]]
    return variables


def plain(objects: Sequence[Object]) -> dict[tuple[str, str], Object]:
    """The objects without what says only by which tool they were made, each by kind and name."""
    found = {}
    for one in objects:
        stripped = _stripped(json.loads(re.sub(r'"flowd-[a-z0-9]{10}"', '"flowd"', json.dumps(one))))
        found[one["kind"], stripped["metadata"]["name"]] = stripped
    return found


_OF_HELM = re.compile(r"helm\.sh/.*|checksum/.*|app\.kubernetes\.io/(managed-by|version)")


def _stripped(value: Any) -> Any:
    match value:
        case dict():
            kept = {key: _stripped(one) for key, one in value.items() if not _OF_HELM.fullmatch(key)}
            return {key: one for key, one in kept.items() if not (key == "annotations" and one == {})}
        case list():
            return sorted((_stripped(one) for one in value), key=_order) if _is_set(value) else value
        case _:
            return value


def _is_set(value: Sequence[Any]) -> bool:
    """Whether the order of the list says nothing: a list of things with names."""
    return all(isinstance(one, dict) and "name" in one for one in value)


def _order(one: Mapping[str, Any]) -> str:
    return str(one.get("mountPath", one["name"]))


def values_at(value: Any, key: str) -> Iterator[Any]:
    """Whatever stands under the key, however deep."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name == key:
                yield one
            yield from values_at(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from values_at(one, key)
