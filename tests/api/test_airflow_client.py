"""Airflow's own client parses our answers: its models are strict about every type and required field."""

import importlib
import json
import pkgutil
from dataclasses import replace
from typing import Any

import airflow_client.client.models as models
import pytest
from pydantic import BaseModel

from flowd.db import import_errors
from flowd.domain.ids import DagId
from flowd.domain.timetable import CronTriggerTimetable
from flowd.logs.paths import log_path
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

RUN = "/api/v2/dags/etl/dagRuns/one"
TASK = f"{RUN}/taskInstances/extract"

ANSWERS = {
    "/api/v2/dags": "DAGCollectionResponse",
    "/api/v2/dags/etl": "DAGResponse",
    "/api/v2/dags/etl/details": "DAGDetailsResponse",
    "/api/v2/dagTags": "DAGTagCollectionResponse",
    "/api/v2/dagStats": "DagStatsCollectionResponse",
    "/api/v2/dagSources/etl": "DAGSourceResponse",
    "/api/v2/dags/etl/tasks": "TaskCollectionResponse",
    "/api/v2/dags/etl/tasks/load": "TaskResponse",
    "/api/v2/dags/etl/dagVersions": "DAGVersionCollectionResponse",
    "/api/v2/dags/etl/dagVersions/1": "DagVersionResponse",
    "/api/v2/dags/~/dagRuns": "DAGRunCollectionResponse",
    RUN: "DAGRunResponse",
    f"{RUN}/taskInstances": "TaskInstanceCollectionResponse",
    TASK: "TaskInstanceResponse",
    f"{TASK}/-1": "TaskInstanceResponse",
    f"{TASK}/tries": "TaskInstanceHistoryCollectionResponse",
    f"{TASK}/tries/1": "TaskInstanceHistoryResponse",
    f"{TASK}/dependencies": "TaskDependencyCollectionResponse",
    f"{TASK}/logs/1": "TaskInstancesLogResponse",
    f"{TASK}/xcomEntries": "XComCollectionResponse",
    f"{TASK}/xcomEntries/return_value": "XComResponseNative",
    f"{TASK}/xcomEntries/return_value?stringify=true": "XComResponseString",
    "/api/v2/backfills?dag_id=daily": "BackfillCollectionResponse",
    "/api/v2/importErrors": "ImportErrorCollectionResponse",
    "/api/v2/eventLogs": "EventLogCollectionResponse",
    "/api/v2/pools": "PoolCollectionResponse",
    "/api/v2/pools/default_pool": "PoolResponse",
    "/api/v2/variables": "VariableCollectionResponse",
    "/api/v2/variables/v": "VariableResponse",
    "/api/v2/connections": "ConnectionCollectionResponse",
    "/api/v2/connections/c": "ConnectionResponse",
    "/api/v2/monitor/health": "HealthInfoResponse",
    "/api/v2/version": "VersionInfo",
}


def model(name: str) -> Any:
    """The client's model of this name."""
    for info in pkgutil.iter_modules(models.__path__):
        if info.name.replace("_", "") == name.lower():
            return getattr(importlib.import_module(f"{models.__name__}.{info.name}"), name)
    raise LookupError(name)


def parsed(name: str, text: str) -> Any:
    """The answer as the client's model; required lists may be empty, but not absent."""
    return model(name).from_json(text)


def absent_fields(shape: Any, document: Any) -> set[str]:
    """The fields that the client's models know and the document leaves out, wherever in it."""
    if isinstance(shape, list):
        return {field for one, part in zip(shape, document, strict=True) for field in absent_fields(one, part)}
    if not isinstance(shape, BaseModel) or not isinstance(document, dict):
        return set()
    names = {name: field.alias or name for name, field in type(shape).model_fields.items()}
    absent = {f"{type(shape).__name__}.{alias}" for alias in names.values() if alias not in document}
    for name, alias in names.items():
        absent |= absent_fields(getattr(shape, name), document.get(alias))
    return absent


@pytest.fixture
async def busy(cluster: Cluster) -> Cluster:
    """A cluster in which there is one of everything."""
    instances = await cluster.start(await cluster.trigger())
    await cluster.succeed(instances["extract"], {"rows": 3})
    await cluster.send("POST", "/api/v2/variables", {"key": "v", "value": "1"}, 201)
    await cluster.send("POST", "/api/v2/connections", {"connection_id": "c", "conn_type": "http", "password": "x"}, 201)
    daily = a_dag(a_task("t"), dag_id="daily", timetable=CronTriggerTimetable("0 0 * * *", "UTC"))
    await cluster.save(daily)
    await cluster.send("POST", "/api/v2/backfills", {**JANUARY, "dag_id": "daily", "dag_run_conf": {"a": 1}})
    await cluster.save(replace(daily, dag_id=DagId("weekly")))
    async with cluster.metastore.transaction() as tx:
        await import_errors.replace(tx, ["bad.py"], {"bad.py": "no"}, await tx.now())
    path = log_path(cluster.settings.logs.folder, "etl", "one", "extract", -1, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"2026-01-01T12:00:00.000001Z o hello\n")
    return cluster


@pytest.mark.parametrize(("path", "name"), ANSWERS.items())
async def test_the_client_parses_what_is_read(busy: Cluster, path: str, name: str) -> None:
    answer = await busy.op.get(path)

    assert answer.status_code == 200, answer.text
    assert absent_fields(parsed(name, answer.text), answer.json()) == set()


JANUARY = {"from_date": "2024-01-01T00:00:00Z", "to_date": "2024-01-31T00:00:00Z"}
BODIES: dict[str, tuple[str, str, str, str, dict[str, Any]]] = {
    "trigger": ("POST", "/api/v2/dags/etl/dagRuns", "TriggerDAGRunPostBody", "DAGRunResponse", {}),
    "pause": ("PATCH", "/api/v2/dags/etl", "DAGPatchBody", "DAGResponse", {"is_paused": True}),
    "mark run": ("PATCH", RUN, "DAGRunPatchBody", "DAGRunResponse", {"state": "failed"}),
    "clear run": ("POST", f"{RUN}/clear", "DAGRunClearBody", "DAGRunResponse", {"dry_run": False}),
    "clear tasks": (
        "POST",
        "/api/v2/dags/etl/clearTaskInstances",
        "ClearTaskInstancesBody",
        "TaskInstanceCollectionResponse",
        {"dag_run_id": "one", "only_failed": False},
    ),
    "mark task": (
        "PATCH",
        TASK,
        "PatchTaskInstanceBody",
        "TaskInstanceCollectionResponse",
        {"new_state": "failed"},
    ),
    "list runs": ("POST", "/api/v2/dags/~/dagRuns/list", "DAGRunsBatchBody", "DAGRunCollectionResponse", {}),
    "list tasks": (
        "POST",
        "/api/v2/dags/~/dagRuns/~/taskInstances/list",
        "TaskInstancesBatchBody",
        "TaskInstanceCollectionResponse",
        {"state": ["success"]},
    ),
    "backfill": (
        "POST",
        "/api/v2/backfills",
        "BackfillPostBody",
        "BackfillResponse",
        {**JANUARY, "dag_id": "weekly"},
    ),
    "dry run": (
        "POST",
        "/api/v2/backfills/dry_run",
        "BackfillPostBody",
        "DryRunBackfillCollectionResponse",
        {**JANUARY, "dag_id": "weekly"},
    ),
    "pool": ("POST", "/api/v2/pools", "PoolBody", "PoolResponse", {"name": "p", "slots": 1}),
    "variable": ("POST", "/api/v2/variables", "VariableBody", "VariableResponse", {"key": "k", "value": "1"}),
    "connection": (
        "POST",
        "/api/v2/connections",
        "ConnectionBody",
        "ConnectionResponse",
        {"connection_id": "d", "conn_type": "http"},
    ),
}


@pytest.mark.parametrize("what", BODIES)
async def test_we_take_the_bodies_that_the_client_makes_and_it_parses_the_answer(busy: Cluster, what: str) -> None:
    method, path, body_name, answer_name, fields = BODIES[what]
    body = json.loads(model(body_name).from_dict(fields).to_json())
    if what == "trigger":
        body["logical_date"] = None

    answer = await busy.op.request(method, path, json=body)

    assert answer.status_code in (200, 201), answer.text
    assert parsed(answer_name, answer.text) is not None


async def test_the_client_parses_our_errors(busy: Cluster) -> None:
    conflict = await busy.op.post("/api/v2/dags/etl/dagRuns", json={"logical_date": None, "dag_run_id": "one"})
    invalid = await busy.op.post("/api/v2/dags/etl/dagRuns", json={})
    missing = await busy.op.get("/api/v2/dags/nope")

    assert parsed("HTTPExceptionResponse", conflict.text).detail.actual_instance["reason"]
    assert parsed("HTTPExceptionResponse", missing.text).detail.actual_instance.startswith("The Dag with ID")
    assert parsed("HTTPValidationError", invalid.text).detail[0].msg == "Field required"
