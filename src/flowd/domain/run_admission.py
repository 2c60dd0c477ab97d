"""Admission of runs: which queued runs may start. Runs that share a limit are a lane: a DAG's own, or a backfill's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from flowd.domain.ids import BackfillKey, DagId, RunKey


class Lane(NamedTuple):
    """What counts together: the runs of one backfill, or with `backfill` None all others of the DAG."""

    dag_id: DagId
    backfill: BackfillKey | None = None


class WaitingRun(NamedTuple):
    """A queued run that is due. At most `limit` runs of its lane may run; 0 where it is held."""

    key: RunKey
    lane: Lane
    limit: int
    ordinal: int = 0


def admit(waiting: Iterable[WaitingRun], running: Mapping[Lane, int]) -> list[RunKey]:
    """Return the runs that may start now beside those `running`: of each lane by ordinal, then the oldest first.

    A limit is never exceeded, and no lane is left idle that has a waiting run and room.
    """
    taken = Counter(running)
    admitted: list[RunKey] = []
    for run in sorted(waiting, key=lambda one: (one.ordinal, one.key)):
        if taken[run.lane] < run.limit:
            taken[run.lane] += 1
            admitted.append(run.key)
    return admitted
