"""The calls that are measured: those of scripts and dashboards, about another DAG and run each time."""

import json
import random
from collections.abc import Callable
from urllib.parse import quote

from bench.api.wrk import Request
from bench.pages.dag_files import DAGS, TASKS, small_dag
from bench.pages.page_map import Known
from bench.pages.past import PAST

DIFFERENT = 200
"""How many requests of a kind are sent in turn."""

_ALL = "/api/v2/dags/~/dagRuns/~/taskInstances"

Make = Callable[[Known, random.Random], Request]


def _plain(path: str) -> Make:
    return lambda known, chance: Request(path)


def _of_dag(tail: str = "") -> Make:
    return lambda known, chance: Request(f"/api/v2/dags/{small_dag(chance.randrange(DAGS))}{tail}")


def _of_run(tail: str = "") -> Make:
    def make(known: Known, chance: random.Random) -> Request:
        # Those of the past: what an earlier bench triggered has no task instances.
        past = [
            (dag_id, run_id)
            for dag_id, runs in known.runs.items()
            if dag_id.startswith("pages_")
            for run_id in runs
            if run_id.startswith(PAST)
        ]
        dag_id, run_id = chance.choice(past)
        return Request(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}{tail}")

    return make


def _trigger(known: Known, chance: random.Random) -> Request:
    path = f"/api/v2/dags/{small_dag(chance.randrange(DAGS))}/dagRuns"
    return Request(path, "POST", json.dumps({"logical_date": None}))


CALLS: dict[str, Make] = {
    "health": _plain("/api/v2/monitor/health"),
    "DAGs, 100 of 1,002": _plain("/api/v2/dags?limit=100"),
    "DAGs by a pattern of their names": _plain("/api/v2/dags?limit=100&dag_id_pattern=pages_05"),
    "one DAG": _of_dag(),
    "runs of a DAG, 100": _of_dag("/dagRuns?limit=100&order_by=-run_after"),
    "runs of all DAGs, 100": _plain("/api/v2/dags/~/dagRuns?limit=100&order_by=-run_after"),
    "failed runs of all DAGs, 100": _plain("/api/v2/dags/~/dagRuns?limit=100&state=failed"),
    "one run": _of_run(),
    "task instances of a run": _of_run("/taskInstances"),
    "one task instance": _of_run(f"/taskInstances/{TASKS[0]}"),
    "task instances of all DAGs, 100": _plain(f"{_ALL}?limit=100"),
    "task instances of all DAGs, 100, from a cursor": _plain(f"{_ALL}?limit=100&cursor="),
    "failed task instances of all DAGs, 100": _plain(f"{_ALL}?limit=100&state=failed"),
    "task instances of all DAGs, 100 by their start": _plain(f"{_ALL}?limit=100&order_by=-start_date"),
    "trigger": _trigger,
}


def requests_of(name: str, known: Known) -> list[Request]:
    """Return the requests of a call, the same ones each time."""
    chance = random.Random(name)
    return [CALLS[name](known, chance) for _ in range(DIFFERENT)]
