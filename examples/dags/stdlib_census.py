"""How large Python's own library is: fan out, count, fan in. Written as for Airflow, and unchanged here.

It shows a pool with more than one slot a task, a limit of tasks at a time, a first try that fails on purpose and is
retried, a branch, a short circuit, trigger rules and callbacks. Four counters share the library's modules by their
first letter.
"""

import ast
import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow import DAG
from airflow.exceptions import AirflowException
from airflow.models import Variable
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from airflow.utils.trigger_rule import TriggerRule

LIBRARY = Path(os.__file__).parent
SHARES = {"a_to_c": "abc_", "d_to_h": "defgh", "i_to_p": "ijklmnop", "q_to_z": "qrstuvwxyz"}


def output_folder():
    folder = Path(Variable.get("examples_output", default_var=f"{tempfile.gettempdir()}/flowd-examples"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remember(context):
    """A callback: one line for each time a task is tried again or ends well."""
    ti = context["ti"]
    with (output_folder() / "census-journal.txt").open("a") as journal:
        journal.write(f"{context['ds']} {ti.task_id} try {ti.try_number}\n")


def open_library(ti):
    """Find the modules. The first try gives up, as a busy archive would, so that there is a retry to look at."""
    if ti.try_number == 1:
        raise AirflowException("the archive is busy (on purpose, at the first try); a retry follows in a second")
    modules = sorted(path.name for path in LIBRARY.glob("*.py"))
    print(f"{len(modules)} modules in {LIBRARY}")
    return modules


def count(letters, ti):
    """Count what the modules of one share define, and how much of it has a docstring."""
    found = {"modules": 0, "lines": 0, "definitions": 0, "documented": 0}
    for name in ti.xcom_pull(task_ids="open_library"):
        if name[0].lower() not in letters:
            continue
        source = (LIBRARY / name).read_text(encoding="utf-8", errors="replace")
        found["modules"] += 1
        found["lines"] += source.count("\n")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found["definitions"] += 1
                found["documented"] += ast.get_docstring(node) is not None
    return found


def add_up(ti):
    """Fan in: the sum of all shares."""
    shares = ti.xcom_pull(task_ids=[f"count_{share}" for share in SHARES])
    return {key: sum(share[key] for share in shares) for key in shares[0]}


def choose(ti):
    """Branch by how well the library is documented."""
    total = ti.xcom_pull(task_ids="add_up")
    return "well_documented" if total["documented"] * 2 >= total["definitions"] else "poorly_documented"


def is_news(ti):
    """Short circuit: the archive is written only where the numbers differ from those archived last."""
    archive = output_folder() / "census-archive.json"
    return not archive.exists() or json.loads(archive.read_text()) != ti.xcom_pull(task_ids="add_up")


def archive(ti):
    path = output_folder() / "census-archive.json"
    path.write_text(json.dumps(ti.xcom_pull(task_ids="add_up")))
    return str(path)


def report(ti, ds):
    """Write the result, whichever branch was taken."""
    total = ti.xcom_pull(task_ids="add_up")
    path = output_folder() / f"census-{ds}.txt"
    share = 100 * total["documented"] / total["definitions"]
    path.write_text(
        "Python's library on {ds}: {modules} modules, {lines} lines, {definitions} functions and classes, "
        "{share:.0f} % of them with a docstring\n".format(ds=ds, share=share, **total)
    )
    print(path.read_text())
    return str(path)


with DAG(
    "stdlib_census",
    schedule="@once",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    default_args={"owner": "examples", "on_retry_callback": remember},
    max_active_tasks=4,
    tags=["example", "airflow"],
    doc_md=__doc__,
) as dag:
    opened = PythonOperator(
        task_id="open_library", python_callable=open_library, retries=2, retry_delay=timedelta(seconds=1)
    )
    counters = [
        PythonOperator(
            task_id=f"count_{share}",
            python_callable=count,
            op_kwargs={"letters": letters},
            pool="default_pool",
            pool_slots=2,
            max_active_tis_per_dag=1,
        )
        for share, letters in SHARES.items()
    ]
    added = PythonOperator(task_id="add_up", python_callable=add_up, on_success_callback=remember)
    branch = BranchPythonOperator(task_id="choose", python_callable=choose)
    well = EmptyOperator(task_id="well_documented")
    poorly = EmptyOperator(task_id="poorly_documented")
    reported = PythonOperator(
        task_id="report", python_callable=report, trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
    )
    news = ShortCircuitOperator(task_id="is_news", python_callable=is_news)
    archived = PythonOperator(task_id="archive", python_callable=archive)
    finished = EmptyOperator(task_id="finished", trigger_rule=TriggerRule.ALL_DONE)

    opened >> counters >> added >> branch >> [well, poorly] >> reported >> finished
    added >> news >> archived
