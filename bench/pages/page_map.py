"""The pages that are measured: every one of the map, about another DAG and run each time."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from bench.pages.dag_files import DAGS, LARGE, MAPPED, TASKS, small_dag


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is in the metastore: the runs by their DAG, and where cursors of long lists lead."""

    runs: dict[str, list[str]]
    assets: int

    def dag(self, chance: random.Random) -> str:
        """Return one of the small DAGs."""
        return small_dag(chance.randrange(DAGS))

    def run(self, dag_id: str, chance: random.Random) -> str:
        """Return the path of one of its runs."""
        return f"/dags/{dag_id}/runs/{quote(chance.choice(self.runs[dag_id]), safe='')}"


Path = Callable[[Known, random.Random], str]


def _plain(path: str) -> Path:
    return lambda known, chance: path


def _of_dag(tail: str) -> Path:
    return lambda known, chance: f"/dags/{known.dag(chance)}{tail}"


def _of_run(tail: str) -> Path:
    return lambda known, chance: known.run(known.dag(chance), chance) + tail


def _of_large(tail: str) -> Path:
    return lambda known, chance: known.run(LARGE, chance) + tail


def _of_mapped(tail: str) -> Path:
    return lambda known, chance: known.run(MAPPED, chance) + tail


TASK = f"/tasks/{TASKS[0]}"

PAGES: dict[str, Path] = {
    path: _plain(path)
    for path in (
        "/",
        "/?hours=168",
        "/dags",
        "/dags?show=failed",
        "/dags?show=running",
        "/dags?q=pages_05",
        "/dags?tag=sales",
        "/dags?order=last_run_start_date",
        "/dags?offset=900",
        "/search",
        "/search?q=pages_05",
        "/search?q=no_such_thing",
        "/dag_runs",
        "/dag_runs?state=failed",
        "/dag_runs?state=running",
        "/dag_runs?type=manual",
        "/task_instances",
        "/task_instances?state=failed",
        "/task_instances?state=running",
        "/task_instances?task=bounds",
        "/task_instances?pool=no_such_pool",
        "/search",
        "/search?q=orders",
        "/search?q=pages_05+load",
        "/assets",
        "/assets?q=table_09",
        "/assets/graph",
        "/backfills",
        "/backfills/new",
        "/hitl",
        "/import_errors",
        "/events",
        "/events?who=user_7",
        "/events?event=login",
        "/workers",
        "/queues",
        "/bundles",
        "/dead_letters",
        "/pools",
        "/variables",
        "/connections",
        "/users",
        "/account",
        "/config",
    )
} | {
    "/dag_runs?dag=D": lambda known, chance: f"/dag_runs?dag={known.dag(chance)}",
    "/task_instances?dag=D": lambda known, chance: f"/task_instances?dag={known.dag(chance)}",
    "/task_instances?dag=D&state=failed": lambda known, chance: f"/task_instances?dag={known.dag(chance)}&state=failed",
    "/events?dag=D": lambda known, chance: f"/events?dag={known.dag(chance)}",
    "/assets/A": lambda known, chance: f"/assets/{chance.randrange(known.assets) + 1}",
    **{
        f"/dags/D{tail}": _of_dag(tail)
        for tail in (
            "",
            "?runs=120",
            "/graph",
            "/runs",
            "/runs?state=failed",
            "/calendar",
            "/duration",
            "/backfills",
            "/events",
            "/code",
            "/details",
            "/trigger",
            TASK,
        )
    },
    **{f"/dags/D/runs/R{tail}": _of_run(tail) for tail in ("", "/graph", "/gantt", "/details")},
    **{f"/dags/D/runs/R/tasks/T{tail}": _of_run(TASK + tail) for tail in ("", "/details", "/rendered", "/xcom")},
    "grid of 2,000 tasks, groups folded": _plain(f"/dags/{LARGE}"),
    "grid of 2,000 tasks, all open": _plain(f"/dags/{LARGE}?open=all"),
    "graph of 2,000 tasks, groups folded": _of_large("/graph?open=none"),
    "run of 2,000 tasks": _of_large(""),
    "Gantt chart of 2,000 tasks": _of_large("/gantt"),
    "run of 500 mapped instances": _of_mapped("/tasks/twice/mapped"),
}
"""By what the table calls them."""
