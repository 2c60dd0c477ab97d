"""The site map: the pages that are of no DAG, as the bar and the search have them."""

from collections.abc import Sequence
from dataclasses import dataclass

from flowd.api.guard import may
from flowd.db.accounts import Account


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its path, what it is called, and in which part of the bar it is.

    `words` also find it; `key`, typed after g, opens it.
    """

    path: str
    label: str
    part: str
    words: str = ""
    key: str = ""


BAR, BROWSE, CLUSTER, ADMIN, OTHER = "bar", "Browse", "Cluster", "Admin", "other"

PLACES = (
    Place("/dags", "DAGs", BAR, key="d"),
    Place("/dag_runs", "Runs", BAR, "dag runs", key="r"),
    Place("/task_instances", "Tasks", BAR, "task instances", key="t"),
    Place("/assets", "Assets", BAR, "datasets", key="a"),
    Place("/hitl", "Questions to people", BROWSE, "hitl required actions approval"),
    Place("/backfills", "Backfills", BROWSE),
    Place("/import_errors", "Import errors", BROWSE, "broken dags", key="i"),
    Place("/events", "Audit log", BROWSE, "events", key="e"),
    Place("/workers", "Workers", CLUSTER, key="w"),
    Place("/queues", "Queues", CLUSTER, key="q"),
    Place("/pools", "Pools", CLUSTER, "slots", key="p"),
    Place("/bundles", "Bundles", CLUSTER, "push rollback versions", key="b"),
    Place("/variables", "Variables", ADMIN),
    Place("/connections", "Connections", ADMIN),
    Place("/config", "Configuration", ADMIN, "settings"),
    Place("/users", "Users", ADMIN, "accounts"),
    Place("/", "Home", OTHER, "overview dashboard", key="h"),
    Place("/backfills/new", "New backfill", OTHER, "make"),
    Place("/assets/graph", "Asset graph", OTHER, "lineage"),
    Place("/dead_letters", "Dead letters", OTHER, "queues"),
    Place("/account", "My account", OTHER, "password api tokens"),
)
"""Every such page, in the order of the bar."""


def places_for(account: Account | None) -> Sequence[Place]:
    """Return the pages that this account may open."""
    return [place for place in PLACES if may(account, f"GET {place.path}")]
