"""Actor: on whose behalf a transaction reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who asks, and what for: what they change is in the audit log.

    `dag_names` are the names by which a restricted DAG lets them in, None where all DAGs do. `event` is what Airflow
    calls what they do, `about` what it names: `dag_id`, `run_id`, `task_id`, `map_index` and others, never a value.
    """

    name: str
    event: str
    dag_names: frozenset[str] | None = None
    request_id: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of one thing. Neither side ever holds a secret, nor what is not needed to tell them apart.

    `before` is None for a thing that is new, `after` for one that is gone.
    """

    thing: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
