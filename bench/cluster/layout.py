"""Layouts: which nodes a scenario needs, and which DAG files they read."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.cluster.backend import Backend
from bench.cluster.large_dags import write_grouped, write_mapped

EVERY_ROLE = ("api,scheduler,worker",)
USUAL = ("api,scheduler", "worker")

_STANDARD = Path(__file__).resolve().parent.parent / "dags" / "standard"

_IDLE = """\
from datetime import datetime

from flowd import DAG, task

with DAG("bench_idle_{number:03}", schedule="@daily", start_date=datetime(2100, 1, 1), catchup=False):

    @task
    def noop() -> None:
        pass

    noop()
"""

_SIZED = """\
from datetime import datetime

from flowd import DAG, BashOperator

with DAG("bench_size_{tasks}", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):
    first = BashOperator(task_id="first", bash_command="true")
    last = BashOperator(task_id="last", bash_command="true")
    first >> [BashOperator(task_id=f"true_{{index}}", bash_command="true") for index in range({tasks} - 2)] >> last
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Scenarios with the same layout are measured on the same nodes, one after the other.

    `write_dags` fills the DAG folder. `nodes` has the roles of each node; an embedded backend is always one node.
    """

    name: str
    write_dags: Callable[[Path], None]
    nodes: tuple[str, ...] = USUAL

    def nodes_on(self, backend: Backend) -> tuple[str, ...]:
        """Return the roles of each node."""
        return EVERY_ROLE if backend is Backend.SQLITE else self.nodes


def _standard(folder: Path) -> None:
    shutil.copytree(_STANDARD, folder, ignore=shutil.ignore_patterns("__pycache__"))


def _idle(count: int) -> Callable[[Path], None]:
    """Write DAGs with one task each that are not due for a long time, a file each."""

    def write(folder: Path) -> None:
        folder.mkdir()
        for number in range(count):
            (folder / f"idle_{number:03}.py").write_text(_IDLE.format(number=number))

    return write


def _sized(*sizes: int) -> Callable[[Path], None]:
    """Write DAGs of so many bash tasks each, 1 -> many -> 1, a file each."""

    def write(folder: Path) -> None:
        folder.mkdir()
        for tasks in sizes:
            (folder / f"size_{tasks}.py").write_text(_SIZED.format(tasks=tasks))

    return write


def _large(write: Callable[[Path, int], None], *sizes: int) -> Callable[[Path], None]:
    """Write what is large in each of these sizes, into one folder."""

    def write_all(folder: Path) -> None:
        folder.mkdir()
        for size in sizes:
            write(folder, size)

    return write_all


def scaled(schedulers: int, workers: int) -> Layout:
    """So many schedulers, the first of which serves the API, and so many workers."""
    nodes = ("api,scheduler", *["scheduler"] * (schedulers - 1), *["worker"] * workers)
    return Layout(name=f"scaled_{schedulers}_{workers}", write_dags=_standard, nodes=nodes)


STANDARD = Layout(name="standard", write_dags=_standard)
ONE_DAG = Layout(name="one_dag", write_dags=_idle(1), nodes=EVERY_ROLE)
MANY_DAGS = Layout(name="200_dags", write_dags=_idle(200), nodes=EVERY_ROLE)
SIZES = Layout(name="sizes", write_dags=_sized(100, 1_000))
ALL_SIZES = Layout(name="all_sizes", write_dags=_sized(100, 1_000, 10_000))
HISTORY = Layout(name="history", write_dags=_standard)
MAPPED = Layout(name="mapped", write_dags=_large(write_mapped, 500, 5_000))
GROUPED = Layout(name="grouped", write_dags=_large(write_grouped, 200, 2_000))
EMPTY = Layout(name="empty", write_dags=Path.mkdir, nodes=EVERY_ROLE)
