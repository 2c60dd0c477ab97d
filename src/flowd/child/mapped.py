"""Mapped tasks in their own process: the operator of one map index, and what others may be mapped over."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from flowd.domain.mappable import DEFAULT_MOST_ITEMS, LENGTH_VARIABLE
from flowd.sdk.base_operator import BaseOperator, MappedOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import UnmappableXComLengthPushed, UnmappableXComTypePushed, XComForMappingNotPushed


def operator_of(task: BaseOperator, context: Context) -> BaseOperator:
    """Return the operator that executes: of a mapped task that of its map index, which is then the context's task."""
    if not isinstance(task, MappedOperator):
        return task
    made = task.unmapped(context)
    context.stand_for(made)
    return made


def check_mappable(task: BaseOperator, value: Any) -> None:
    """Raise, as Airflow does in the task that returns it, where tasks are mapped over `value` and cannot be.

    The results of mapped tasks are mapped over one by one, whatever they are.
    """
    if not task.is_mapped_over or task.is_expanded:
        return
    if value is None:
        raise XComForMappingNotPushed(f"task {task.task_id!r} returned nothing, and another is mapped over it")
    if not isinstance(value, (Sequence, Mapping)) or isinstance(value, (str, bytes, bytearray)):
        raise UnmappableXComTypePushed(
            f"task {task.task_id!r} returned a {type(value).__name__}, and another is mapped over it; return a list or "
            "a dict"
        )
    most = int(os.environ.get(LENGTH_VARIABLE, DEFAULT_MOST_ITEMS))
    if len(value) > most:
        raise UnmappableXComLengthPushed(
            f"task {task.task_id!r} returned {len(value)} items, and another is mapped over them; "
            f"worker.max_map_length allows {most}"
        )
