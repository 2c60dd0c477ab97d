"""The DAGs of a large instance: many of ten tasks, one of thousands in groups, one that is mapped."""

from pathlib import Path

from bench.cluster.large_dags import write_grouped, write_mapped

DAGS = 1_000
DAGS_IN_A_FILE = 40
LARGE_TASKS = 2_000
MAPPED_ITEMS = 500
LARGE, MAPPED = f"bench_grouped_{LARGE_TASKS}", f"bench_mapped_{MAPPED_ITEMS}"

TASKS = (
    "extract.orders",
    "extract.customers",
    "extract.items",
    "transform.join",
    "transform.clean",
    "transform.enrich",
    "check.count",
    "check.bounds",
    "load",
    "report",
)
"""In the order in which they run; the one before the last is where a bad run fails."""

_FILE = """\
from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, TaskGroup

from flowd import BashOperator

TEAMS = ("sales", "finance", "platform", "marketing", "science")

for number in range({first}, {last}):
    table = Asset(f"table_{{number:04}}", uri=f"s3://warehouse/table_{{number:04}}")
    with DAG(
        f"pages_{{number:04}}",
        description=f"Fills the table {{number}} of the warehouse.",
        schedule="0 3 * * *",
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        is_paused_upon_creation=True,
        default_args={{"owner": TEAMS[number % 5], "retries": 1}},
        tags=[TEAMS[number % 5], f"tier-{{number % 3}}"],
    ):
        steps = []
        for group, names in (
            ("extract", ("orders", "customers", "items")),
            ("transform", ("join", "clean", "enrich")),
            ("check", ("count", "bounds")),
        ):
            with TaskGroup(group) as made:
                for name in names:
                    BashOperator(task_id=name, bash_command="true")
            steps.append(made)
        load = BashOperator(task_id="load", bash_command="true", outlets=[table])
        steps[0] >> steps[1] >> steps[2] >> load >> BashOperator(task_id="report", bash_command="true")
"""


def small_dag(number: int) -> str:
    """Return the id of one of the small DAGs, counted from 0."""
    return f"pages_{number:04}"


def write_dags(folder: Path, *, dags: int = DAGS) -> None:
    """Write so many small DAGs, several a file, and the two large ones."""
    folder.mkdir(parents=True)
    for first in range(0, dags, DAGS_IN_A_FILE):
        text = _FILE.format(first=first, last=min(first + DAGS_IN_A_FILE, dags))
        (folder / f"pages_{first:04}.py").write_text(text)
    write_grouped(folder, LARGE_TASKS)
    write_mapped(folder, MAPPED_ITEMS)
