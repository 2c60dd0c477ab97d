"""The environment a task's process gets: this node's, less everything that is flowd's own."""

from collections.abc import Mapping

from flowd.domain.assignment import Assignment
from flowd.domain.ids import ClaimToken
from flowd.domain.secret_names import BACKEND_SECTION
from flowd.domain.work import BashWork
from flowd.queue.base import Claimed

KEPT_WHEN_REPLACED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
"""What a bash task that replaces its environment still gets."""


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without flowd's settings, which hold the credentials of metastore, broker and backends."""
    return {name: value for name, value in environ.items() if not name.startswith(("FLOWD_", BACKEND_SECTION))}


def task_environment(base: Mapping[str, str], claimed: Claimed, traceparent: str | None = None) -> dict[str, str]:
    """Return the whole environment of the try: `base` (scrubbed), the task's own, and the try's names and token.

    `traceparent` is the try's place in a trace: https://opentelemetry.io/docs/specs/otel/context/env-carriers/
    """
    assignment, work = claimed.assignment, claimed.assignment.work
    environ = dict(base)
    if isinstance(work, BashWork) and work.env is not None:
        if not work.append_env:
            environ = {name: base[name] for name in KEPT_WHEN_REPLACED if name in base}
        environ |= work.env
    place = {} if traceparent is None else {"TRACEPARENT": traceparent}
    return environ | _names(assignment, claimed.token) | place


def _names(assignment: Assignment, token: ClaimToken) -> dict[str, str]:
    logical_date = assignment.run.logical_date
    names = {
        "DAG_ID": assignment.dag_id,
        "TASK_ID": assignment.task_id,
        "DAG_RUN_ID": assignment.run_id,
        "TRY_NUMBER": str(assignment.try_number),
        "LOGICAL_DATE": logical_date.isoformat() if logical_date else "",
    }
    return {
        **{f"AIRFLOW_CTX_{name}": value for name, value in names.items()},
        "AIRFLOW_CTX_EXECUTION_DATE": names["LOGICAL_DATE"],
        **{f"FLOWD_{name}": value for name, value in names.items()},
        "FLOWD_MAP_INDEX": str(assignment.map_index),
        "FLOWD_CLAIM_TOKEN": token,
        "FLOWD_IDEMPOTENCY_KEY": f"{assignment.instance}/{assignment.try_number}",
    }
