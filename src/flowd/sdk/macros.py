"""`macros` in templates: Airflow's, with `macros.dateutil` where dateutil is installed."""

import importlib
import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from random import random
from typing import Any

__all__ = [
    "datetime", "datetime_diff_for_humans", "ds_add", "ds_format", "json", "random", "time", "timedelta", "uuid",
]  # fmt: skip


def ds_add(ds: str, days: int) -> str:
    """Return the date `days` after `ds`, both as YYYY-MM-DD."""
    return (datetime.strptime(str(ds), "%Y-%m-%d") + timedelta(days=days)).strftime("%Y-%m-%d")


def ds_format(ds: str, input_format: str, output_format: str) -> str:
    """Return the moment `ds`, written in one strftime format, in another."""
    return datetime.strptime(str(ds), input_format).strftime(output_format)


def datetime_diff_for_humans(dt: datetime, since: datetime | None = None) -> str:
    """Return how far `dt` lies from `since`, or from now, in words such as "2 days ago"."""
    seconds = (dt - (since or datetime.now(UTC))).total_seconds()
    sizes = {"year": 31536000, "month": 2592000, "week": 604800, "day": 86400, "hour": 3600, "minute": 60, "second": 1}
    unit, size = next(((unit, size) for unit, size in sizes.items() if abs(seconds) >= size), ("second", 1))
    count = int(abs(seconds) // size)
    distance = f"{count} {unit}{'' if count == 1 else 's'}"
    before, after = ("before", "after") if since else ("ago", "from now")
    return f"{distance} {before if seconds < 0 else after}"


def __getattr__(name: str) -> Any:
    if name == "dateutil":
        return importlib.import_module("dateutil")
    raise AttributeError(f"there is no macro {name!r}; there are {', '.join(__all__)}, dateutil")
