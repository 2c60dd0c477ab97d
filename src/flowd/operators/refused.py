"""Operators of older Airflows that cannot be: they are refused where a DAG is written, with what to write instead."""

from typing import Any

from flowd.domain.errors import InvalidDag


class SubDagOperator:
    """A DAG as a task of another one. Airflow 3 has no more of it either."""

    def __init__(self, *, task_id: str = "", **_: Any) -> None:
        raise InvalidDag(
            f"SubDagOperator {task_id!r}: a DAG within a DAG is none of flowd's, nor of Airflow 3's; put its tasks "
            f"into a TaskGroup({task_id!r}), which looks the same, or trigger the other DAG with TriggerDagRunOperator"
        )
