"""The state graphs of task instances and of runs, stated once more and independently of flowd's own machines."""

ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
ALL = ENDED | {
    "none",
    "scheduled",
    "queued",
    "running",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
    "restarting",
}
OPEN = ALL - ENDED
HOLDING = frozenset({"queued", "running"})

BY_A_USER = frozenset({"cleared", "marked"})
"""Causes that may lead out of an end. A release there changes nothing but the hold on an old process."""

REPORTED = frozenset(
    {"succeeded", "skipped itself", "failed", "rescheduled", "deferred", "interrupted", "lost", "cancelled"}
)
"""Causes that end a running try, each spoken for by the try's token."""

IMPORTED = "imported"
"""The cause of what ended in another system: it is the first of a history, and brings the number of tries it took."""

WAITS_ON = frozenset({"rescheduled", "deferred"})
"""Causes after which, unless it ends there, the same try goes on in another leg."""

_GOES_ON = frozenset({"up_for_retry", "failed"})
_MARKS = frozenset({"success", "failed", "skipped"})

_EDGES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "scheduled": (frozenset({"none", "up_for_retry", "up_for_reschedule", "deferred"}), frozenset({"scheduled"})),
    "decided": (frozenset({"none"}), frozenset({"skipped", "upstream_failed", "removed"})),
    "completed without work": (frozenset({"none"}), frozenset({"success"})),
    "queued": (frozenset({"scheduled"}), frozenset({"queued"})),
    "claimed": (frozenset({"queued"}), frozenset({"running"})),
    "succeeded": (frozenset({"running"}), frozenset({"success"})),
    "skipped itself": (frozenset({"running"}), frozenset({"skipped"})),
    "cancelled": (frozenset({"running"}), frozenset({"failed"})),
    "failed": (frozenset({"running"}), _GOES_ON),
    "interrupted": (frozenset({"running"}), _GOES_ON),
    "lost": (frozenset({"running"}), _GOES_ON),
    "rescheduled": (frozenset({"running"}), frozenset({"up_for_reschedule", "failed"})),
    "deferred": (frozenset({"running"}), frozenset({"deferred", "failed"})),
    "triggered": (frozenset({"deferred"}), frozenset({"scheduled"})),
    "marked": (ALL, _MARKS),
    "run stopped": (OPEN, _MARKS),
    "imported": (frozenset({"none"}), ENDED),
}

_RUN_EDGES: dict[str, tuple[frozenset[str], str]] = {
    "started": (frozenset({"queued"}), "running"),
    "succeeded": (frozenset({"running"}), "success"),
    "failed": (frozenset({"running"}), "failed"),
    "timed out": (frozenset({"running"}), "failed"),
    "deadlocked": (frozenset({"running"}), "failed"),
    "cleared": (frozenset({"queued", "running", "success", "failed"}), "queued"),
    "marked success": (frozenset({"queued", "running", "success", "failed"}), "success"),
    "marked failed": (frozenset({"queued", "running", "success", "failed"}), "failed"),
    "backfill cancelled": (frozenset({"queued"}), "failed"),
    "imported success": (frozenset({"queued"}), "success"),
    "imported failed": (frozenset({"queued"}), "failed"),
}

RUN_ENDED = frozenset({"success", "failed"})


def is_edge(source: str, cause: str, target: str) -> bool:
    """Return whether `cause` may lead a task instance from `source` to `target`."""
    match cause:
        case "cancel requested":
            return (source == target == "running") or (source in OPEN - {"running"} and target == "failed")
        case "cleared":
            # An old process may live where one ran, or where one is still held after a mark.
            may_be_held = source in ENDED | {"running", "restarting"}
            return target == "none" or (target == "restarting" and may_be_held)
        case "released":
            return (source, target) == ("restarting", "none") or (source == target and source in ENDED)
    sources, targets = _EDGES.get(cause, (frozenset(), frozenset()))
    return source in sources and target in targets


def is_run_edge(source: str, cause: str, target: str) -> bool:
    """Return whether `cause` may lead a run from `source` to `target`."""
    sources, wanted = _RUN_EDGES.get(cause, (frozenset(), ""))
    return source in sources and target == wanted
