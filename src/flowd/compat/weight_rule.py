"""`airflow.utils.weight_rule`."""

from enum import StrEnum


class WeightRule(StrEnum):
    """Whose weights add up to a task's priority."""

    ABSOLUTE = "absolute"
    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
