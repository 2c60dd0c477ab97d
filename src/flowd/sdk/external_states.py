"""What a task may ask about other DAGs, their runs and their tasks; triggers and sensors ask it too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flowd.sdk.exceptions import DagNotFound
from flowd.sdk.supervisor import ask


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDag:
    """A DAG of the cluster; `groups` are the tasks of each task group, those of the groups in it included."""

    dag_id: str
    is_active: bool = True
    is_paused: bool = False
    tasks: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


def find_dag(dag_id: str) -> KnownDag | None:
    """Return what is known of the DAG; None where there never was one of this id."""
    found = ask("dag", dag_id=dag_id)["dag"]
    return None if found is None else KnownDag(dag_id=dag_id, **found)


def get_dag(dag_id: str) -> KnownDag:
    """Return what is known of the DAG; raise DagNotFound where there never was one of this id."""
    found = find_dag(dag_id)
    if found is None:
        raise DagNotFound(f"no DAG {dag_id!r} is known to flowd")
    return found


def run_states(
    dag_id: str, *, run_ids: Iterable[str] | None = None, logical_dates: Iterable[datetime] | None = None
) -> dict[str, str]:
    """Return the states of the DAG's runs by their ids: all, or those of these ids and dates."""
    states: dict[str, str] = ask("run_states", **_choice(dag_id, run_ids, logical_dates))["states"]
    return states


def get_dagrun_state(dag_id: str, run_id: str) -> str | None:
    """Return the state of the run; None where there is no such run."""
    return run_states(dag_id, run_ids=[run_id]).get(run_id)


def get_dr_count(
    dag_id: str,
    logical_dates: Iterable[datetime] | None = None,
    run_ids: Iterable[str] | None = None,
    states: Iterable[str] | None = None,
) -> int:
    """Return how many of these runs are in one of `states`."""
    found = run_states(dag_id, run_ids=run_ids, logical_dates=logical_dates)
    return sum(_is_wanted(state, states) for state in found.values())


def get_ti_count(
    dag_id: str,
    map_index: int | None = None,
    task_ids: Iterable[str] | None = None,
    task_group_id: str | None = None,
    logical_dates: Iterable[datetime] | None = None,
    run_ids: Iterable[str] | None = None,
    states: Iterable[str] | None = None,
) -> int:
    """Return how many of these task instances are in one of `states`."""
    found = task_instances(
        dag_id,
        map_index=map_index,
        task_ids=task_ids,
        task_group_id=task_group_id,
        logical_dates=logical_dates,
        run_ids=run_ids,
    )
    return sum(_is_wanted(one["state"], states) for one in found)


def get_task_states(
    dag_id: str,
    map_index: int | None = None,
    task_ids: Iterable[str] | None = None,
    task_group_id: str | None = None,
    logical_dates: Iterable[datetime] | None = None,
    run_ids: Iterable[str] | None = None,
) -> dict[str, dict[str, str | None]]:
    """Return the states of these task instances, by run and then by task; a mapped one is `task_index`."""
    states: dict[str, dict[str, str | None]] = {}
    found = task_instances(
        dag_id,
        map_index=map_index,
        task_ids=task_ids,
        task_group_id=task_group_id,
        logical_dates=logical_dates,
        run_ids=run_ids,
    )
    for one in found:
        index = one["map_index"]
        name = one["task_id"] if index < 0 else f"{one['task_id']}_{index}"
        states.setdefault(one["run_id"], {})[name] = one["state"]
    return states


def task_instances(
    dag_id: str,
    *,
    map_index: int | None = None,
    task_ids: Iterable[str] | None = None,
    task_group_id: str | None = None,
    logical_dates: Iterable[datetime] | None = None,
    run_ids: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Return run_id, task_id, map_index and state of these task instances: of these tasks and those of the group."""
    found: list[dict[str, Any]] = ask(
        "task_states",
        **_choice(dag_id, run_ids, logical_dates),
        map_index=map_index,
        task_ids=None if task_ids is None else list(task_ids),
        task_group_id=task_group_id,
    )["tasks"]
    return found


def _choice(dag_id: str, run_ids: Iterable[str] | None, logical_dates: Iterable[datetime] | None) -> dict[str, Any]:
    return {
        "dag_id": dag_id,
        "run_ids": None if run_ids is None else list(run_ids),
        "logical_dates": None if logical_dates is None else [_text(date) for date in logical_dates],
    }


def _is_wanted(state: str | None, states: Iterable[str] | None) -> bool:
    return states is None or state in {str(wanted) for wanted in states}


def _text(date: datetime) -> str:
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).isoformat()
