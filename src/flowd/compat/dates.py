"""`airflow.utils.dates`."""

import warnings
from datetime import UTC, datetime, timedelta

from flowd.sdk.exceptions import DagWarning
from flowd.sdk.moments import moment


def days_ago(n: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    """Return midnight UTC, or that time of day, `n` days ago; warn that it moves with the clock."""
    warnings.warn(
        f"days_ago({n}) is another date each day, so that the DAG changes by itself; write a fixed start_date",
        DagWarning,
        stacklevel=2,
    )
    today = datetime.now(UTC).replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
    return moment(today - timedelta(days=n))
