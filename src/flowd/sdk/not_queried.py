"""NotQueried: classes that Airflow's authors once asked its database through."""

from typing import NoReturn


class NotQueried(type):
    """The metaclass of a class whose objects tasks are given: what it has not is refused with what to do instead."""

    airflow_name: str

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        raise AttributeError(
            f"{cls.airflow_name}.{name} is not in flowd: tasks have no connection to the metastore; ask flowd's REST"
            " API, which answers as Airflow's does"
        )
