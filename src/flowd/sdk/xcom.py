"""XCom: values that tasks leave for others, by key, task and run."""

from collections.abc import Iterable
from typing import Any

from flowd.sdk.exceptions import AirflowException
from flowd.sdk.supervisor import ask
from flowd.sdk.xcom_arg import RETURN_KEY
from flowd.sdk.xcom_json import from_json, to_json


class XCom:
    """Reading XComs of any task and run from within a task. Pushing is `ti.xcom_push`: each task has its own alone."""

    XCOM_RETURN_KEY = RETURN_KEY

    @classmethod
    def get_one(
        cls,
        *,
        key: str = RETURN_KEY,
        dag_id: str | None = None,
        task_id: str | Iterable[str] | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
        include_prior_dates: bool = False,
        **_: Any,
    ) -> Any:
        """Return the value, None where there is none; the run and DAG are the running task's unless named."""
        wanted = [task_id] if isinstance(task_id, str) else None if task_id is None else list(task_id)
        entries = ask(
            "xcom_pull",
            task_ids=wanted,
            key=key,
            dag_id=dag_id,
            run_id=run_id,
            map_indexes=None if map_index is None else [map_index],
            include_prior_dates=include_prior_dates,
        )["entries"]
        return from_json(entries[-1]["value"]) if entries else None

    @classmethod
    def get_value(cls, *, ti_key: Any, key: str = RETURN_KEY, **_: Any) -> Any:
        """Return the value that the task instance of this key pushed, None where there is none."""
        return cls.get_one(
            key=key, dag_id=ti_key.dag_id, task_id=ti_key.task_id, run_id=ti_key.run_id, map_index=ti_key.map_index
        )

    @classmethod
    def get_all(
        cls,
        *,
        key: str = RETURN_KEY,
        dag_id: str | None = None,
        task_id: str | None = None,
        run_id: str | None = None,
        include_prior_dates: bool = False,
        **_: Any,
    ) -> list[Any] | None:
        """Return the values of all map indexes in their order, None where there is none."""
        entries = ask(
            "xcom_pull",
            task_ids=None if task_id is None else [task_id],
            key=key,
            dag_id=dag_id,
            run_id=run_id,
            map_indexes=None,
            include_prior_dates=include_prior_dates,
        )["entries"]
        ordered = sorted(entries, key=lambda entry: entry["map_index"])
        return [from_json(entry["value"]) for entry in ordered] or None

    @classmethod
    def set(cls, key: str, value: Any, **_: Any) -> None:
        """Refuse: which task pushes a value is never the caller's choice."""
        raise AirflowException(f"XCom.set({key!r}, …) is not in flowd; push with ti.xcom_push(key, value) in the task")

    @staticmethod
    def serialize_value(value: Any, **_: Any) -> Any:
        """Return the value as JSON."""
        return to_json(value)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return the value of what `serialize_value` gave."""
        return from_json(getattr(result, "value", result))
