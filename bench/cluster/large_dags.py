"""Large DAG files and folders, of a size that is asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

_MAPPED = """\
from datetime import datetime

from flowd import DAG, task

with DAG("bench_mapped_{items}", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):

    @task
    def items() -> list[int]:
        return list(range({items}))

    @task
    def twice(item: int) -> int:
        return 2 * item

    @task
    def less(item: int) -> int:
        return item - 1

    @task
    def check(results: list[int]) -> None:
        assert sum(results) == {items} * ({items} - 2)

    check(less.expand(item=twice.expand(item=items())))
"""

_GROUPED = """\
from datetime import datetime

from flowd import DAG, BashOperator, TaskGroup, chain

with DAG("bench_grouped_{tasks}", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):
    for part in range({tasks} // 100):
        with TaskGroup(f"part_{{part}}"):
            steps = []
            for step in range(5):
                with TaskGroup(f"step_{{step}}") as group:
                    for side in range(2):
                        with TaskGroup(f"side_{{side}}"):
                            for index in range(10):
                                BashOperator(task_id=f"true_{{index}}", bash_command="true")
                steps.append(group)
            chain(*steps)
"""

_ONE_OF_MANY = """\
from datetime import UTC, datetime, timedelta

from flowd import DAG, BashOperator

start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds={files})

with DAG("bench_folder_{files}_{number:04}", schedule="@once", start_date=start, is_paused_upon_creation=True):
    BashOperator(task_id="true", bash_command="true")
"""


def write_mapped(folder: Path, items: int) -> None:
    """Write a DAG with a task mapped over so many items, another mapped over its results, and one that takes all."""
    (folder / f"mapped_{items}.py").write_text(_MAPPED.format(items=items))


def write_grouped(folder: Path, tasks: int) -> None:
    """Write a DAG of so many bash tasks, hundreds, in groups of three levels; whole groups follow each other."""
    (folder / f"grouped_{tasks}.py").write_text(_GROUPED.format(tasks=tasks))


def write_folder(folder: Path, files: int) -> None:
    """Write so many files, each with a paused DAG of one bash task and one run that was due long ago."""
    for number in range(files):
        (folder / f"folder_{files}_{number:04}.py").write_text(_ONE_OF_MANY.format(files=files, number=number))


def run_of_folder(files: int) -> str:
    """Return the id of the run that each of these DAGs has."""
    return f"scheduled__{(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=files)).isoformat()}"
