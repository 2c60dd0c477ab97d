"""A node with a secret backend of AWS: tasks and DAG files get its values, and no secret and no credential shows."""

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeNode
from tests.secret_backends.test_aws import keep
from tests.support.node_process import eventually

DAG_FILE = """
import os, json
from datetime import datetime
from flowd import DAG, Connection, Variable, task

WORD = Variable.get("word")

with DAG("reads", schedule=None, start_date=datetime(2024, 1, 1), tags=[WORD]):
    @task
    def read():
        found = {key: Variable.get(key) for key in ("both", "ours", "kept")}
        db = Connection.get("db")
        print("values", found["both"], db.password, db.get_uri())
        hidden = [name for name, value in os.environ.items() if "hunt" + "er2" in value]
        with open(os.environ["JOURNAL"], "w") as journal:
            json.dump([found, db.password, hidden], journal)
        raise ValueError(found["both"])

    read()
"""


@pytest.fixture
async def on_aws(sqs_endpoint: str, tmp_path: Path) -> dict[str, str]:
    """What a node is told, in Airflow's own names, that looks into a parameter store with these secrets in it."""
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "reads.py").write_text(DAG_FILE)
    prefix = f"/{tmp_path.name}"
    await keep(
        sqs_endpoint,
        "ssm",
        **{
            f"{prefix}/v/both": "CANARY-of-aws",
            f"{prefix}/v/word": "parsed",
            f"{prefix}/c/db": "postgres://ada:CANARY-db@h/s",
        },
    )
    kwargs = {
        "variables_prefix": f"{prefix}/v",
        "connections_prefix": f"{prefix}/c",
        "region_name": "eu-central-1",
        "endpoint_url": sqs_endpoint,
        "aws_access_key_id": "KEY",
        "aws_secret_access_key": "hunter2",
    }
    backend = "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
    return {
        "AIRFLOW__SECRETS__BACKEND": backend,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(kwargs),
        "AIRFLOW_VAR_BOTH": "of the environment",
        "FLOWD_VAR_OURS": "of the node",
        "FLOWD__DAGS__FOLDER": str(folder),
    }


def test_a_task_gets_what_the_backend_has_and_nothing_of_it_shows(
    make_node: MakeNode, on_aws: dict[str, str], journal: Path, tmp_path: Path
) -> None:
    node = make_node("alone", **on_aws)
    eventually(lambda: node.get("/api/v2/dags", tags="parsed")["dags"], "the DAG, with a tag from the backend")
    node.post("/api/v2/variables", {"key": "kept", "value": "in the metastore"})

    run = node.trigger("reads")
    eventually(lambda: node.run_state("reads", run) == "failed", "the run to end")

    found, password, hidden = json.loads(journal.read_text())
    assert found == {"both": "CANARY-of-aws", "ours": "of the node", "kept": "in the metastore"}
    assert (password, hidden) == ("CANARY-db", [])
    path = f"/api/v2/dags/reads/dagRuns/{run}/taskInstances/read"
    shown = json.dumps([node.get(path), node.get(f"{path}/logs/1"), node.get("/api/v2/eventLogs")]) + node.log
    assert "values *** ***" in shown and "CANARY" not in shown and "hunter2" not in shown
    files = [file for file in (tmp_path / "alone").rglob("*") if file.is_file()]
    assert not [file for file in files if b"CANARY" in file.read_bytes() or b"hunter2" in file.read_bytes()]
