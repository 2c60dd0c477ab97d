"""@asset: a DAG of one task that makes the asset it is named after."""

from pathlib import Path
from typing import Any

import pytest

from flowd.domain.errors import InvalidDag
from flowd.operators.asset_decorator import asset
from flowd.sdk.assets import Asset
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import DagWarning
from tests.operators.running import execute

FILE = """
from airflow.sdk import Asset, asset, task

raw = Asset(name="raw", uri="s3://bucket/raw")
seen = []

@asset(uri="s3://bucket/clean", schedule=raw, tags=["x"])
def clean(self, raw, context, unknown, limit=3):
    seen.append((self.uri, raw.uri, context["run_id"], unknown.uri, limit))
    return limit

@asset.multi(schedule=None, outlets=[raw, Asset("other")])
def both(): ...

@asset(schedule=None)
@task(retries=2)
def one(): ...
"""


def test_a_function_is_the_task_of_a_dag_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "assets_file.py").write_text(FILE)
    raw = Asset(name="raw", uri="s3://bucket/raw")

    dags = {dag.dag_id: dag for dag in load(str(tmp_path), "assets_file.py")}

    (clean,) = dags["clean"].tasks
    assert (sorted(dags), clean.task_id, list(dags["clean"].tags)) == (["both", "clean", "one"], "clean", ["x"])
    assert (clean.outlets[0].uri, clean.inlets) == ("s3://bucket/clean", [raw, Asset.ref(name="unknown")])
    assert dags["both"].get_task("both").outlets == [raw, Asset("other")]
    assert (dags["one"].get_task("one").retries, dags["one"].get_task("one").outlets[0].name) == (2, "one")
    assert execute(clean) == 3
    assert clean.python_callable.__globals__["seen"] == [  # type: ignore[attr-defined]
        ("s3://bucket/clean", "s3://bucket/raw", "manual__1", "unknown", 3)
    ]


def test_what_cannot_be_is_refused_and_what_has_no_effect_warns() -> None:
    with pytest.raises(InvalidDag, match=r"@asset.multi 'none': outlets is empty"):

        @asset.multi(schedule=None, outlets=[])
        def none() -> None: ...

    with pytest.raises(InvalidDag, match=r"@asset 'any': \*\*kwargs: Any cannot name an asset"):

        @asset(schedule=None)
        def any(**kwargs: Any) -> None: ...

    with pytest.warns(DagWarning, match=r"asset 'w': access_control has no effect"):
        Asset("w", access_control=object())
