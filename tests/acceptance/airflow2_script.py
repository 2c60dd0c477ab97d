"""What scripts do with Airflow 2's client: run with that client on the path, and with the URL and a password given.

It has a process of its own, for the client of Airflow 3 has the same name.
"""

import importlib
import sys
import time
from datetime import datetime
from importlib.metadata import version
from typing import Any

# Its packages are told to no type checker, and are another client's there.
client: Any = importlib.import_module("airflow_client.client")


def calls(name: str) -> Any:
    """Return the calls of one noun."""
    return importlib.import_module(f"airflow_client.client.api.{name}")


FINISHED = ("success", "failed")


def model(name: str, /, **fields: Any) -> Any:
    """Make a body of the client's: each is a module of its own."""
    module = importlib.import_module(f"airflow_client.client.model.{name}")
    (kind,) = (one for word, one in vars(module).items() if word.lower() == name.replace("_", ""))
    return kind(**fields)


def ended(runs: Any, dag_id: str, run_id: str) -> str:
    while True:
        state = str(runs.get_dag_run(dag_id, run_id).state)
        if state in FINISHED:
            return state
        time.sleep(0.2)


def main(url: str, password: str) -> None:
    """Use every call that is translated, and fail where an answer is not what the client takes."""
    assert version("apache-airflow-client").startswith("2."), client.__file__
    with client.ApiClient(client.Configuration(host=f"{url}/api/v1", username="admin", password=password)) as api:
        use_monitor(api)
        use_dags(api)
        run_id = use_runs(api)
        use_tasks(api, run_id)
        use_stores(api)
    sys.stdout.write("all of it works\n")


def use_monitor(api: Any) -> None:
    monitor = calls("monitoring_api").MonitoringApi(api)
    assert str(monitor.get_health().scheduler.status) == "healthy"
    assert monitor.get_version().version
    assert calls("import_error_api").ImportErrorApi(api).get_import_errors().total_entries == 0


def use_dags(api: Any) -> None:
    dags = calls("dag_api").DAGApi(api)
    found = {dag.dag_id: dag for dag in dags.get_dags(limit=100, order_by="-dag_id").dags}
    assert {"mapped", "repairable"} <= found.keys() and found["mapped"].is_active is True
    assert dags.get_dag("mapped").schedule_interval is None
    details = dags.get_dag_details("mapped")
    assert details.timezone and details.catchup is False
    assert dags.patch_dag("mapped", model("dag", is_paused=True)).is_paused is True
    assert {dag.dag_id for dag in dags.get_dags(paused=True).dags} == {"mapped"}
    assert dags.patch_dag("mapped", model("dag", is_paused=False), update_mask=["is_paused"]).is_paused is False
    assert [task.task_id for task in dags.get_tasks("mapped").tasks] == ["add", "numbers", "total"]


def use_runs(api: Any) -> str:
    runs = calls("dag_run_api").DAGRunApi(api)
    made = runs.post_dag_run("mapped", model("dag_run", dag_run_id="by-script", conf={"a": 1}))
    assert (made.state.value, made.run_type, made.external_trigger) == ("queued", "manual", True)
    assert made.execution_date == made.logical_date and isinstance(made.execution_date, datetime)
    assert ended(runs, "mapped", made.dag_run_id) == "success"
    listed = runs.get_dag_runs(
        "mapped", state=["success"], execution_date_gte=made.execution_date, order_by="-start_date"
    )
    assert [run.dag_run_id for run in listed.dag_runs] == ["by-script"]
    assert runs.get_dag_runs("~", execution_date_lte=datetime(2001, 1, 1)).total_entries == 0
    batch = runs.get_dag_runs_batch(model("list_dag_runs_form", dag_ids=["mapped"], order_by="execution_date"))
    assert batch.total_entries == 1 and batch.dag_runs[0].conf == {"a": 1}
    assert runs.set_dag_run_note("mapped", "by-script", model("set_dag_run_note", note="seen")).note == "seen"
    broken = runs.post_dag_run("repairable", model("dag_run")).dag_run_id
    assert ended(runs, "repairable", broken) == "failed"
    marked = runs.update_dag_run_state("repairable", broken, model("update_dag_run_state", state="success"))
    assert str(marked.state) == "success"
    runs.delete_dag_run("repairable", broken)
    assert runs.get_dag_runs("repairable").total_entries == 0
    return "by-script"


def use_tasks(api: Any, run_id: str) -> None:
    tasks, runs, dags = (
        calls("task_instance_api").TaskInstanceApi(api),
        calls("dag_run_api").DAGRunApi(api),
        calls("dag_api").DAGApi(api),
    )
    of = ("mapped", run_id)
    found = tasks.get_task_instances(*of)
    assert found.total_entries == 6 and {str(one.state) for one in found.task_instances} == {"success"}
    numbers = tasks.get_task_instance(*of, "numbers")
    assert (numbers.dag_run_id, numbers.try_number) == (run_id, 1) and numbers.execution_date
    assert tasks.get_mapped_task_instances(*of, "add").total_entries == 4
    assert tasks.get_mapped_task_instance(*of, "add", 3).map_index == 3
    assert tasks.get_task_instance_tries(*of, "numbers").total_entries == 1
    assert (
        tasks.get_task_instances_batch(
            model("list_task_instance_form", dag_ids=["mapped"], task_ids=["add"])
        ).total_entries
        == 4
    )
    log = tasks.get_log(*of, "numbers", 1, full_content=True)
    assert "content" in log and isinstance(log.content, str)
    values = calls("x_com_api").XComApi(api)
    assert "return_value" in {one.key for one in values.get_xcom_entries(*of, "numbers").xcom_entries}
    assert values.get_xcom_entry(*of, "total", "return_value").value
    cleared = dags.post_clear_task_instances(
        "mapped",
        model("clear_task_instances", dag_run_id=run_id, task_ids=["total"], only_failed=False, dry_run=True),
    )
    assert [(one.task_id, one.dag_run_id) for one in cleared.task_instances] == [("total", run_id)]
    cleared = dags.post_clear_task_instances(
        "mapped",
        model(
            "clear_task_instances",
            dag_run_id=run_id,
            task_ids=["total"],
            only_failed=False,
            reset_dag_runs=True,
            dry_run=False,
        ),
    )
    assert len(cleared.task_instances) == 1
    assert ended(runs, *of) == "success" and tasks.get_task_instance(*of, "total").try_number == 2
    again = runs.clear_dag_run(*of, model("clear_dag_run", dry_run=False))
    assert again["dag_run_id"] == run_id
    assert ended(runs, *of) == "success"
    marked = dags.post_set_task_instances_state(
        "mapped",
        model(
            "update_task_instances_state",
            task_id="total",
            execution_date=numbers.execution_date,
            new_state=model("update_task_state", value="failed"),
            dry_run=False,
        ),
    )
    assert [one.task_id for one in marked.task_instances] == ["total"]
    assert str(tasks.get_task_instance(*of, "total").state) == "failed"
    tasks.patch_task_instance(
        *of,
        "total",
        model("update_task_instance", dry_run=False, new_state=model("update_task_state", value="success")),
    )
    assert str(tasks.get_task_instance(*of, "total").state) == "success"


def use_stores(api: Any) -> None:
    pools, variables, connections = (
        calls("pool_api").PoolApi(api),
        calls("variable_api").VariableApi(api),
        calls("connection_api").ConnectionApi(api),
    )
    pool, variable = model("pool", name="narrow", slots=2), model("variable", key="colour", value="red")
    assert pools.post_pool(pool).open_slots == 2
    assert pools.patch_pool("narrow", model("pool", name="narrow", slots=3), update_mask=["slots"]).slots == 3
    assert {one.name for one in pools.get_pools(order_by="name").pools} == {"default_pool", "narrow"}
    pools.delete_pool("narrow")
    assert variables.post_variables(variable).value == "red"
    assert variables.patch_variable("colour", model("variable", key="colour", value="blue")).value == "blue"
    assert variables.get_variables().total_entries == 1 and variables.get_variable("colour").value == "blue"
    variables.delete_variable("colour")
    made = connections.post_connection(
        model("connection", connection_id="db", conn_type="postgres", host="h", password="p", extra='{"a": 1}')
    )
    assert (made.connection_id, made.host) == ("db", "h") and not made.get("password")
    changed = model("connection", connection_id="db", conn_type="postgres", host="other")
    assert connections.patch_connection("db", changed, update_mask=["host"]).host == "other"
    assert connections.get_connections().total_entries == 1
    connections.delete_connection("db")


if __name__ == "__main__":
    main(*sys.argv[1:])
