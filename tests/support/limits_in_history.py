"""Who held a slot at every moment, replayed from the history rows of a metastore."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.support.ledger_site import LedgerSite

HOLDING = {"queued", "running"}


@dataclass(frozen=True, slots=True)
class Holder:
    """A task instance with what it counts against."""

    key: int
    run: int
    dag_id: str
    task_id: str
    pool: str
    slots: int


async def holders_over_time(site: LedgerSite) -> list[tuple[Holder, bool]]:
    """Return every instance that took slots (True) or gave them back (False), in the order in which that happened.

    At one and the same moment of the clock what is given back goes first: it was there to be taken.
    """
    rows = await site.rows(
        "SELECT t.id, t.run, t.dag_id, t.task_id, t.pool, t.pool_slots, h.from_state, h.to_state FROM task_transition h"
        " JOIN task_instance t ON t.id = h.instance ORDER BY h.at, CASE WHEN h.to_state = 'queued' THEN 1 ELSE 0 END"
    )
    changes = [(Holder(*row[:6]), row[6] in HOLDING, row[7] in HOLDING) for row in rows]
    return [(holder, after) for holder, before, after in changes if before != after]


def most_held(
    changes: Iterable[tuple[Holder, bool]],
    by: Callable[[Holder], object],
    weight: Callable[[Holder], int] = lambda _: 1,
) -> dict[object, int]:
    """Return for each group the most that was ever held in it."""
    most: Counter[object] = Counter()
    for group, held in _running_totals(changes, by, weight):
        most[group] = max(most[group], held)
    return dict(most)


def _running_totals(
    changes: Iterable[tuple[Holder, bool]], by: Callable[[Holder], object], weight: Callable[[Holder], int]
) -> Iterator[tuple[object, int]]:
    held: Counter[object] = Counter()
    for holder, is_taken in changes:
        held[by(holder)] += weight(holder) if is_taken else -weight(holder)
        yield by(holder), held[by(holder)]
