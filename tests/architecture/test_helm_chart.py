"""What the chart refuses, what it says where it does, and what becomes of its values; Helm's own engine reads it."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from flowd.settings.catalogue import catalogue
from tests.docs.pages import blocks
from tests.support.kubernetes_objects import (
    A_SECRET,
    CHART,
    MANIFESTS,
    ROOT,
    ChartRefused,
    Object,
    ask_chart,
    container_of,
    of_kind,
    pods,
    rendered,
)

PAGE = ROOT / "docs" / "how-to" / "kubernetes.md"
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
SETTING = re.compile(r"FLOWD__[A-Z0-9_]+")


@cache
def notes(values: str) -> str:
    """What is said to whoever has installed it with these values."""
    (answer,) = ask_chart({**A_SECRET, **json.loads(values)})["answers"]
    return str(answer["files"]["flowd/templates/NOTES.txt"])


def test_helm_has_nothing_against_the_chart() -> None:
    found = ask_chart(A_SECRET)["lint"]

    assert found["errors"] == []
    assert [one["error"] for one in found["messages"]] == ["icon is recommended"]


def test_without_a_secret_it_refuses_and_says_what_to_do() -> None:
    with pytest.raises(ChartRefused) as raised:
        rendered({"existingSecret": ""})

    assert "existingSecret is not set: make a Secret with the keys database-url, secret-key and fernet-key" in str(
        raised.value
    )
    assert "docs/how-to/kubernetes.md" in str(raised.value)


def test_no_secret_setting_gets_into_a_config_map() -> None:
    names = [info.variable for info in catalogue().values() if info.is_secret]

    answers = ask_chart(*({**A_SECRET, "config": {name: "x"}} for name in names))["answers"]

    for name, answer in zip(names, answers, strict=True):
        assert f"config.{name} cannot stand there: " in answer.get("error", ""), name
        assert re.search("put it into the Secret|by extraEnv, with a secretKeyRef", answer["error"]), name


def test_what_a_value_of_the_chart_says_is_not_said_a_second_time() -> None:
    everything = rendered(
        {"logs": {"bucket": "s3://b/p", "region": "r", "endpointUrl": "https://s3"}, "publicUrl": "http://a"}
    )
    set_by_chart = {one["name"] for pod in pods(everything).values() for one in container_of(pod)["env"]}
    set_by_chart |= {name for one in of_kind(everything, "ConfigMap").values() for name in one["data"]}
    set_by_chart |= {"FLOWD__DAGS__FOLDER", "FLOWD__API__HOST", "FLOWD__API__PORT"}
    names = sorted(set_by_chart)

    answers = ask_chart(*({**A_SECRET, "config": {name: "x"}} for name in names))["answers"]

    assert [
        name for name, one in zip(names, answers, strict=True) if "cannot stand there" not in one.get("error", "")
    ] == []


def test_any_other_setting_may_stand_in_config() -> None:
    names = [info.variable for info in catalogue().values()]
    answers = ask_chart(*({**A_SECRET, "config": {name: "x"}} for name in names))["answers"]

    accepted = {name for name, answer in zip(names, answers, strict=True) if "files" in answer}

    assert {"FLOWD__SCHEDULER__RETENTION", "FLOWD__DATABASE__POOL_SIZE", "FLOWD__OIDC__ISSUER"} <= accepted
    assert len(accepted) > len(names) / 2


def test_every_setting_that_the_chart_names_is_one() -> None:
    known = {info.variable for info in catalogue().values()}
    texts = [path.read_text() for path in CHART.rglob("*") if path.is_file()]
    named = {name.removesuffix("_") for text in texts for name in SETTING.findall(text)}

    assert named - known - {"FLOWD__SECTION__KEY"} == set()
    assert len(named) > 20


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"worker": {"concurency": 3}}, "additional properties 'concurency' not allowed"),
        ({"workerGroups": {"gpu": {"queue": "gpu"}}}, "additional properties 'queue' not allowed"),
        ({"worker": {"drainTimeoutSeconds": "5m"}}, "got string, want integer"),
        ({"worker": {"queues": ["it's"]}}, "does not match pattern"),
        ({"worker": {"queues": []}}, "minItems"),
        ({"config": {"FLOWD__METRICS__BY_DAG": True}}, "got boolean, want string"),
        ({"config": {"flowd.retention": "90d"}}, "propertyName 'flowd.retention'"),
        ({"logs": {"bucket": "gs://bucket"}}, "does not match pattern"),
        ({"ingress": {"enabled": True}}, "ingress.host is not set: name the host that people reach flowd at"),
    ],
    ids=["typo", "typo in a group", "text", "quote", "no queue", "truth", "no setting", "other store", "no host"],
)
def test_a_mistake_in_the_values_is_told(values: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ChartRefused) as raised:
        rendered(values)

    assert message in str(raised.value)


def undescribed(values: Mapping[str, Any], schema: Mapping[str, Any], path: str = "") -> list[str]:
    """The values that the schema does not know, and what it knows that has no default."""
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    if schema.get("additionalProperties") is not False or "properties" not in schema:
        return []
    different = {*values} ^ {*schema["properties"]}
    inside = [
        one
        for key, value in values.items()
        if isinstance(value, dict) and key in schema["properties"]
        for one in undescribed(value, schema["properties"][key], f"{path}{key}.")
    ]
    return [f"{path}{key}" for key in sorted(different)] + inside


def test_the_schema_describes_just_the_values_that_there_are() -> None:
    # `global` is Helm's own, for charts that have this one below them.
    assert undescribed(DEFAULTS, SCHEMA) == ["global"]


def worker(values: Mapping[str, Any]) -> Object:
    return pods(rendered(values))["flowd-worker"]


def test_the_grace_period_follows_from_the_drain() -> None:
    pod = worker({"worker": {"drainTimeoutSeconds": 3600, "killGraceSeconds": 45}})

    assert pod["spec"]["terminationGracePeriodSeconds"] == 3600 + 45 + 30
    given = {one["name"]: one.get("value") for one in container_of(pod)["env"]}
    assert (given["FLOWD__WORKER__DRAIN_TIMEOUT"], given["FLOWD__WORKER__KILL_GRACE"]) == ("3600s", "45s")


def test_a_group_of_workers_is_as_the_others_but_for_what_it_says() -> None:
    found = rendered(
        {"worker": {"concurrency": 30}, "workerGroups": {"gpu": {"queues": ["gpu", "big"], "replicas": 1}}}
    )

    given = {one["name"]: one.get("value") for one in container_of(pods(found)["flowd-worker-gpu"])["env"]}
    assert (given["FLOWD__WORKER__CONCURRENCY"], given["FLOWD__WORKER__QUEUES"]) == ("30", "gpu,big")
    replicas = {name: one["spec"]["replicas"] for name, one in of_kind(found, "Deployment").items()}
    assert (replicas["flowd-worker"], replicas["flowd-worker-gpu"]) == (2, 1)


def test_keda_asks_for_each_group_by_its_queues_and_one_alone_keeps_the_triggers() -> None:
    groups = {"gpu": {"queues": ["gpu", "big"], "keda": {"keepsTriggers": False}}}
    found = of_kind(rendered({"worker": {"keda": {"enabled": True}}, "workerGroups": groups}), "ScaledObject")

    queries = {name: one["spec"]["triggers"][0]["metadata"]["query"] for name, one in found.items()}
    assert "queue IN ('default')" in queries["flowd-worker"] and "deferral" in queries["flowd-worker"]
    assert queries["flowd-worker-gpu"] == (
        "SELECT (SELECT COUNT(*) FROM task_instance WHERE state IN ('queued', 'running') AND queue IN ('gpu', 'big'))"
    )


def test_a_change_of_the_settings_makes_new_pods() -> None:
    def annotations(values: Mapping[str, Any]) -> list[Any]:
        return [pod["metadata"].get("annotations") for pod in pods(rendered(values)).values()]

    before, after = annotations({}), annotations({"config": {"FLOWD__LOGS__LEVEL": "debug"}})

    assert [one is None or one != other for one, other in zip(before, after, strict=True)] == [True] * len(before)
    assert annotations({}) == before


def test_the_schema_of_the_metastore_comes_before_all_else() -> None:
    (job,) = of_kind(rendered({}), "Job").values()
    needed = job["spec"]["template"]["spec"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    # What the release brings is not there yet.
    assert "serviceAccountName" not in needed and "envFrom" not in container_of(job["spec"]["template"])
    assert of_kind(rendered({"migrate": {"enabled": False}}), "Job") == {}


def test_logs_are_kept_when_the_release_goes() -> None:
    (claim,) = of_kind(rendered({}), "PersistentVolumeClaim").values()

    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    theirs = {"logs": {"volume": {"existingClaim": "our-logs"}}}
    assert of_kind(rendered(theirs), "PersistentVolumeClaim") == {}
    assert "our-logs" in json.dumps(worker(theirs))


@pytest.mark.parametrize(
    ("values", "there", "absent"),
    [
        ({}, ["port-forward service/flowd-api 8080:80", "flowd bundles push", "admin-password"], "https://"),
        ({"publicUrl": "https://f.example"}, ["The dashboard is at https://f.example."], "port-forward"),
        ({"dags": {"existingClaim": "dags"}}, ["flowd health"], "bundles push"),
    ],
    ids=["default", "url", "folder"],
)
def test_the_notes_say_how_to_go_on(values: Mapping[str, Any], there: list[str], absent: str) -> None:
    said = notes(json.dumps(values))

    assert [one for one in there if one not in said] == []
    assert absent not in said


def test_the_dags_of_a_claim_are_read_and_never_written() -> None:
    found = rendered({"dags": {"existingClaim": "dags", "folder": "/srv/dags", "subPath": "team"}})
    scheduler = container_of(pods(found)["flowd-scheduler"])

    assert {"name": "FLOWD__DAGS__FOLDER", "value": "/srv/dags"} in scheduler["env"]
    assert {"name": "dags", "mountPath": "/srv/dags", "readOnly": True, "subPath": "team"} in scheduler["volumeMounts"]


def test_the_chart_takes_the_values_of_the_guide() -> None:
    texts = [block.text for block in blocks(PAGE) if block.text.startswith("# values.yaml\n")]

    assert len(texts) == 4
    for text in texts:
        assert rendered(yaml.safe_load(text)) != rendered({})


def test_the_guide_makes_the_secret_that_the_chart_asks_for() -> None:
    (command,) = [block.text for block in blocks(PAGE) if "create secret generic" in block.text]

    assert set(re.findall(r"--from-literal=([\w-]+)=", command)) == set(DEFAULTS["secretKeys"].values())
    assert f"`{DEFAULTS['worker']['keda']['connectionKey']}`" in PAGE.read_text()


def test_the_guide_names_every_component_of_the_manifests() -> None:
    text = PAGE.read_text()

    assert [one.name for one in (MANIFESTS / "components").iterdir() if f"`{one.name}`" not in text] == []
