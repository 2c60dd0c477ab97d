"""Airflow's own client, unchanged, against a real node: every operation that has a meaning, and what the others say."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow_client.client.api_client import ApiClient
from airflow_client.client.configuration import Configuration
from airflow_client.client.exceptions import ApiException

from tests.acceptance.conftest import MakeNode
from tests.api.airflow_operations import documented
from tests.support.node_process import NodeProcess, eventually

# Made by a generator: what its packages export is not told to type checkers.
airflow: Any = importlib.import_module("airflow_client.client")
models: Any = importlib.import_module("airflow_client.client.models")


class RecordingClient(ApiClient):
    """The client, which notes each operation that is called."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.called: set[str] = set()

    def param_serialize(self, method: str, resource_path: str, *given: Any, **named: Any) -> Any:
        """Note the operation, and go on."""
        self.called.add(f"{method} {resource_path}")
        return super().param_serialize(method, resource_path, *given, **named)


def refused(status: int, call: Callable[..., Any], *given: Any, **named: Any) -> None:
    with pytest.raises(ApiException) as error:
        call(*given, **named)
    assert error.value.status == status, error.value.body


def run_of(runs: Any, dag_id: str, **body: Any) -> str:
    """Trigger the DAG, and return its run's id once it has succeeded: the stream of its states ends."""
    said = models.TriggerDAGRunPostBody.from_dict({"logical_date": None, **body})
    made = runs.trigger_dag_run(dag_id, said)
    ended(runs, dag_id, made.dag_run_id)
    return str(made.dag_run_id)


def ended(runs: Any, dag_id: str, run_id: str) -> None:
    stream = runs.wait_dag_run_until_finished_without_preload_content(dag_id, run_id, interval=0.2).data
    assert b'"success"' in stream.strip().splitlines()[-1], stream


def use_dags(client: RecordingClient) -> None:
    dags = airflow.DAGApi(client)
    assert "mapped" in {dag.dag_id for dag in dags.get_dags(limit=100).dags}
    assert dags.get_dag("mapped").is_paused is False
    assert dags.get_dag_details("mapped").latest_dag_version.version_number == 1
    assert dags.patch_dag("chain", models.DAGPatchBody(is_paused=True)).is_paused is True
    assert [dag.is_paused for dag in dags.patch_dags(models.DAGPatchBody(is_paused=False), dag_id_pattern="chain").dags]
    assert dags.get_dag_tags().total_entries == 0
    parsed = dags.get_dag("mapped").last_parsed_time
    airflow.DAGParsingApi(client).reparse_dag_file(dags.get_dag("mapped").file_token)
    eventually(lambda: dags.get_dag("mapped").last_parsed_time > parsed, "the file to be parsed again")
    dags.favorite_dag("mapped")
    assert [dag.dag_id for dag in dags.get_dags(is_favorite=True).dags] == ["mapped"]
    dags.unfavorite_dag("mapped")
    assert airflow.DagStatsApi(client).get_dag_stats(dag_ids=["mapped"]).dags[0].dag_id == "mapped"
    assert airflow.DagVersionApi(client).get_dag_versions("mapped").dag_versions[0].version_number == 1
    assert airflow.DagVersionApi(client).get_dag_version("mapped", 1).dag_id == "mapped"
    assert "DAG(" in airflow.DagSourceApi(client).get_dag_source("mapped").content
    assert airflow.DagWarningApi(client).list_dag_warnings().total_entries == 0
    errors = airflow.ImportErrorApi(client)
    assert errors.get_import_errors().import_errors == []
    refused(404, errors.get_import_error, 1)
    tasks = airflow.TaskApi(client)
    assert [task.task_id for task in tasks.get_tasks("mapped").tasks] == ["add", "numbers", "total"]
    assert tasks.get_task("mapped", "add").is_mapped is True


def use_runs(client: RecordingClient) -> str:
    runs = airflow.DagRunApi(client)
    run = run_of(runs, "mapped", dag_run_id="one", conf={"a": 1})
    assert (
        airflow.ExperimentalApi(client).wait_dag_run_until_finished_without_preload_content("mapped", run, 0.2).status
        == 200
    )
    assert runs.get_dag_run("mapped", run).state == "success"
    assert runs.patch_dag_run("mapped", run, models.DAGRunPatchBody(note="well done")).note == "well done"
    assert runs.get_dag_runs("~", cursor="", limit=1).dag_runs[0].dag_run_id == run
    batch = models.DAGRunsBatchBody(dag_ids=["mapped"])
    assert runs.get_list_dag_runs_batch("~", batch).total_entries == 1
    # The client parses no answer of a dry run: a task instance is also what it takes for the shape of a new task.
    dry = runs.clear_dag_run_without_preload_content("mapped", run, models.DAGRunClearBody())
    assert dry.json()["total_entries"] == 6
    again = models.DAGRunClearBody(dry_run=False, note="again")
    assert runs.clear_dag_run("mapped", run, again).actual_instance.note == "again"
    ended(runs, "mapped", run)
    both = models.BulkDAGRunClearBody(dag_runs=[models.BulkDAGRunBody(dag_run_id=run)])
    assert runs.clear_dag_runs_without_preload_content("mapped", both).json()["total_entries"] == 6
    assert runs.clear_dag_run_partitions("mapped", models.ClearPartitionsBody()).dag_runs_cleared == 0
    for name in ("gone", "too"):
        run_of(runs, "mapped", dag_run_id=name)
    runs.delete_dag_run("mapped", "gone")
    actions = {"actions": [{"action": "delete", "entities": ["too"]}]}
    assert runs.bulk_dag_runs("mapped", models.BulkBodyBulkDAGRunBody.from_dict(actions)).delete.success == [
        "mapped.too"
    ]
    return run


def use_task_instances(client: RecordingClient, run: str) -> None:
    tasks = airflow.TaskInstanceApi(client)
    of = ("mapped", run)
    assert tasks.get_task_instances(*of).total_entries == 6
    assert tasks.get_task_instances_batch("~", "~", models.TaskInstancesBatchBody(task_ids=["add"])).total_entries == 4
    assert tasks.get_task_instance(*of, "numbers").state == "success"
    assert tasks.get_mapped_task_instances(*of, "add").total_entries == 4
    assert tasks.get_mapped_task_instance(*of, "add", 3).rendered_map_index == "20 and 4"
    assert tasks.get_task_instance_tries(*of, "numbers").task_instances[0].state == "success"
    assert tasks.get_task_instance_try_details(*of, "numbers", 1).try_number == 1
    assert tasks.get_mapped_task_instance_tries(*of, "add", 0).total_entries == 2
    assert tasks.get_mapped_task_instance_try_details(*of, "add", 1, 0).map_index == 0
    assert tasks.get_task_instance_dependencies(*of, "numbers").dependencies == []
    assert tasks.get_task_instance_dependencies_by_map_index(*of, "add", 0).dependencies == []
    assert tasks.get_log(*of, "numbers", 1, full_content=True).content is not None
    assert tasks.get_extra_links(*of, "numbers").extra_links == {}
    assert airflow.ExtraLinksApi(client).get_extra_links(*of, "numbers").total_entries == 0
    failed = models.PatchTaskInstanceBody(new_state=models.TaskInstanceState.FAILED)
    assert tasks.patch_task_instance_dry_run(*of, "total", failed).total_entries == 1
    assert tasks.patch_task_instance_dry_run_by_map_index(*of, "add", 0, failed).total_entries == 1
    note = models.PatchTaskInstanceBody(note="seen")
    assert tasks.patch_task_instance(*of, "total", note).task_instances[0].note == "seen"
    assert tasks.patch_task_instance_by_map_index(*of, "add", 0, note).task_instances[0].map_index == 0
    refused(404, tasks.patch_task_group_instances, *of, "none", note)
    refused(404, tasks.patch_task_group_instances_dry_run, *of, "none", note)
    actions = {"actions": [{"action": "update", "entities": [{"task_id": "total", "note": "again"}]}]}
    answer = tasks.bulk_task_instances(*of, models.BulkBodyBulkTaskInstanceBody.from_dict(actions))
    assert answer.update.success == [f"mapped.{run}.total"]
    clear = models.ClearTaskInstancesBody.from_dict({"dag_run_id": run, "task_ids": ["total"], "only_failed": False})
    assert tasks.post_clear_task_instances("mapped", clear).total_entries == 1
    refused(409, tasks.delete_task_instance, *of, "total")
    refused(400, tasks.get_external_log_url, *of, "total", 1)


def use_what_tasks_leave(client: RecordingClient, run: str) -> None:
    xcoms, store = airflow.XComApi(client), airflow.TaskStateStoreApi(client)
    where = {"dag_id": "mapped", "dag_run_id": run, "task_id": "numbers"}
    assert xcoms.get_xcom_entry(xcom_key="return_value", **where).actual_instance.value == [3, 4]
    assert xcoms.get_xcom_entries(**where).total_entries == 1
    assert xcoms.create_xcom_entry(x_com_create_body=models.XComCreateBody(key="k", value=1), **where).value == 1
    assert xcoms.update_xcom_entry(xcom_key="k", x_com_update_body=models.XComUpdateBody(value=2), **where).value == 2
    xcoms.delete_xcom_entry(xcom_key="k", **where)
    store.set_task_state_store(
        key="page", task_state_store_body=models.TaskStateStoreBody.from_dict({"value": 7}), **where
    )
    store.patch_task_state_store(
        key="page", task_state_store_patch_body=models.TaskStateStorePatchBody.from_dict({"value": 8}), **where
    )
    assert store.get_task_state_store(key="page", **where).key == "page"
    assert store.list_task_state_store(**where).total_entries == 1
    store.delete_task_state_store(key="page", **where)
    store.clear_task_state_store(**where)


def use_assets(client: RecordingClient, node: NodeProcess) -> None:
    assets, runs = airflow.AssetApi(client), airflow.DagRunApi(client)
    (orders,) = assets.get_assets(name_pattern="orders").assets
    assert [use.dag_id for use in orders.scheduled_dags] == ["orders_out"]
    assert assets.get_asset(orders.id).name == "orders"
    made = assets.materialize_asset(orders.id)
    assert (made.dag_id, made.run_type) == ("orders_in", "asset_materialization")
    (about,) = eventually(lambda: runs.get_dag_runs("orders_out").dag_runs, "the run that the asset sets off")
    (event,) = runs.get_upstream_asset_events("orders_out", about.dag_run_id).asset_events
    assert (event.source_dag_id, event.extra) == ("orders_in", {"rows": 3})
    assert assets.get_asset_events(asset_id=orders.id).asset_events[0].created_dagruns[0].run_id == about.dag_run_id
    # A paused DAG's queue stays as it is: nothing is queued for it, and nothing is forgotten.
    airflow.DAGApi(client).patch_dag("orders_out", models.DAGPatchBody(is_paused=True))
    said = assets.create_asset_event(models.CreateAssetEventsBody(asset_id=orders.id, extra={"by": "hand"}))
    assert said.extra == {"by": "hand", "from_rest_api": True}
    assert assets.get_asset_queued_events(orders.id).queued_events == []
    assert assets.get_dag_asset_queued_events("orders_out").total_entries == 0
    refused(404, assets.get_dag_asset_queued_event, "orders_out", orders.id)
    refused(404, assets.delete_asset_queued_events, orders.id)
    refused(404, assets.delete_dag_asset_queued_events, "orders_out")
    refused(404, assets.delete_dag_asset_queued_event, "orders_out", orders.id)
    assert assets.get_asset_aliases().asset_aliases == []
    refused(404, assets.get_asset_alias, 1)
    store = airflow.AssetStateStoreApi(client)
    store.set_asset_state_store("mark", orders.id, models.AssetStateStoreBody.from_dict({"value": 7}))
    assert store.get_asset_state_store("mark", orders.id).last_updated_by.kind == "api"
    assert store.list_asset_state_store(orders.id).total_entries == 1
    store.delete_asset_state_store("mark", orders.id)
    store.clear_asset_state_store(orders.id)


def use_backfills(client: RecordingClient) -> None:
    backfills = airflow.BackfillApi(client)
    body = models.BackfillPostBody(
        dag_id="replayed",
        from_date=datetime(2024, 1, 1, tzinfo=UTC),
        to_date=datetime(2024, 1, 3, tzinfo=UTC),
        run_on_latest_version=False,
    )
    assert backfills.create_backfill_dry_run(body).total_entries == 2
    made = backfills.create_backfill(body)
    assert backfills.get_backfill(made.id).dag_id == "replayed"
    assert backfills.list_backfills("replayed").total_entries == 1
    assert backfills.pause_backfill(made.id).is_paused is True
    assert backfills.unpause_backfill(made.id).is_paused is False
    assert backfills.cancel_backfill(made.id).completed_at is not None


def use_questions(client: RecordingClient) -> None:
    tasks, runs = airflow.TaskInstanceApi(client), airflow.DagRunApi(client)
    run = runs.trigger_dag_run("asking", models.TriggerDAGRunPostBody.from_dict({"logical_date": None})).dag_run_id
    eventually(
        lambda: any(one.task_instance.task_id == "entry" for one in tasks.get_hitl_details("asking", run).hitl_details),
        "the question",
    )
    assert tasks.get_hitl_detail("asking", run, "entry", -1).response_received is False
    assert tasks.get_hitl_detail_try_detail("asking", run, "entry", -1, 1).subject.startswith("How many rows")
    answer = models.UpdateHITLDetailPayload(chosen_options=["OK"], params_input={"rows": 5, "why": ""})
    assert tasks.update_hitl_detail("asking", run, "entry", -1, answer).chosen_options == ["OK"]


def use_stores(client: RecordingClient) -> None:
    pools = airflow.PoolApi(client)
    assert pools.post_pool(models.PoolBody(name="p", slots=1)).open_slots == 1
    patch = models.PoolPatchBody(pool="p", slots=2, include_deferred=False)
    assert pools.patch_pool("p", patch).slots == 2
    assert pools.get_pool("p").slots == 2
    assert pools.get_pools().total_entries == 2
    more = {"actions": [{"action": "create", "entities": [{"name": "q", "slots": 1}]}]}
    assert pools.bulk_pools(models.BulkBodyPoolBody.from_dict(more)).create.success == ["q"]
    pools.delete_pool("p")
    variables = airflow.VariableApi(client)
    one = models.VariableBody.from_dict({"key": "v", "value": "1"})
    assert variables.post_variable(one).value == "1"
    assert variables.patch_variable("v", one).key == "v"
    assert variables.get_variable("v").value == "1"
    more = {"actions": [{"action": "delete", "entities": ["v"]}]}
    assert variables.bulk_variables(models.BulkBodyVariableBody.from_dict(more)).delete.success == ["v"]
    assert variables.get_variables().total_entries == 0
    variables.post_variable(one)
    variables.delete_variable("v")
    connections = airflow.ConnectionApi(client)
    body = models.ConnectionBody(connection_id="c", conn_type="http", password="secret")
    assert connections.post_connection(body).password == "***"
    assert connections.patch_connection("c", body).connection_id == "c"
    assert connections.get_connection("c").conn_type == "http"
    more = {"actions": [{"action": "update", "entities": [{"connection_id": "c", "conn_type": "ftp"}]}]}
    assert connections.bulk_connections(models.BulkBodyConnectionBody.from_dict(more)).update.success == ["c"]
    assert connections.get_connections().connections[0].conn_type == "ftp"
    connections.delete_connection("c")
    refused(403, connections.test_connection, body)
    refused(
        403, connections.enqueue_connection_test, models.ConnectionTestRequestBody(connection_id="c", conn_type="http")
    )
    refused(403, connections.get_connection_test, "token")
    refused(403, connections.create_default_connections)


def use_what_there_is(client: RecordingClient) -> None:
    assert airflow.MonitorApi(client).get_health().scheduler.status == "healthy"
    assert airflow.VersionApi(client).get_version().version
    config = airflow.ConfigApi(client)
    assert "worker" in {section.name for section in config.get_config().sections}
    assert config.get_config_value("worker", "concurrency").sections[0].options[0].key == "concurrency"
    jobs = airflow.JobApi(client).get_jobs(is_alive=True).jobs
    assert {job.job_type for job in jobs} == {"SchedulerJob", "DagProcessorJob", "TriggererJob"}
    assert airflow.ProviderApi(client).get_providers().providers == []
    assert airflow.PluginApi(client).get_plugins().plugins == []
    assert airflow.PluginApi(client).import_errors().import_errors == []
    logs = airflow.EventLogApi(client)
    triggered = logs.get_event_logs(event="trigger_dag_run").event_logs
    assert {(one.dag_id, one.owner) for one in triggered} == {("mapped", "admin"), ("asking", "admin")}
    assert logs.get_event_log(triggered[0].event_log_id) == triggered[0]
    refused(404, logs.get_event_log, 2**31 - 1)
    login = airflow.LoginApi(client)
    assert login.login_without_preload_content().status == 200
    assert login.logout_without_preload_content().status == 200


def use_up(client: RecordingClient) -> None:
    airflow.DAGApi(client).delete_dag("mapped")
    assert airflow.DagRunApi(client).get_dag_runs("~", dag_id_pattern="mapped").total_entries == 0


def test_every_operation_of_the_client_does_what_the_reference_says(make_node: MakeNode) -> None:
    node = make_node("node")
    node.get("/api/v2/dags")
    client = RecordingClient(Configuration(host=node.url, access_token=node.token))

    use_dags(client)
    run = use_runs(client)
    use_task_instances(client, run)
    use_what_tasks_leave(client, run)
    use_assets(client, node)
    use_backfills(client)
    use_questions(client)
    use_stores(client)
    use_what_there_is(client)
    use_up(client)

    assert set(documented()) - client.called == set()
