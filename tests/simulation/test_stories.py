"""Whole clusters in virtual time: whatever befalls them no invariant is violated, but where flowd is broken."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.simulation.broker import Weather
from tests.simulation.story import USUAL, Climate, tell
from tests.support.checker.violation import Invariant
from tests.support.random_dags import MAPPED
from tests.support.sabotage import Sabotage, sabotaged

SEEDS = range(12)
MOST_SEEDS = 60
"""In so many stories each sabotage must have been found. No task waits there, and none is mapped but where that is what
is broken. Their climate is such that a few are enough: where only usual ones were told, every new agent of flowd, which
changes what each seed tells, could hide a sabotage."""

LATE_MESSAGES = Climate(messages=Weather(repeated=0.9, late=0.9, late_seconds=15.0), failures=0.6)
BROKEN_LINKS = Climate(outages=6)
EVERY = range(MOST_SEEDS)
CALM, STORMY = range(0, 2 * MOST_SEEDS, 2), range(1, 2 * MOST_SEEDS, 2)
"""Stories whose broker keeps what it has confirmed, and those in which messages may be lost, late and so on."""


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_befalls_a_cluster_no_invariant_is_violated(seed: int, migrated_file: Path) -> None:
    ending = tell(seed, migrated_file)

    assert ending.is_good, str(ending)


def test_the_same_seed_tells_the_same_story(migrated_file: Path) -> None:
    assert tell(1, migrated_file) == tell(1, migrated_file)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("sabotage", "seeds", "climate", "invariant"),
    [
        (Sabotage.BREAK_THE_TRY_CHECK, STORMY, LATE_MESSAGES, Invariant.I11),
        (Sabotage.ACK_BEFORE_CLAIM, CALM, BROKEN_LINKS, Invariant.I9),
        (Sabotage.UNGUARD_THE_RESCUER, EVERY, USUAL, Invariant.I10),
        (Sabotage.IGNORE_THE_LIMITS, EVERY, USUAL, Invariant.I7),
        (Sabotage.BEGIN_EARLY, EVERY, USUAL, Invariant.I6),
        (Sabotage.MISCOUNT_ITEMS, EVERY, USUAL, Invariant.I13),
    ],
    ids=lambda value: value.value if isinstance(value, Sabotage) else getattr(value, "name", ""),
)
def test_a_sabotage_is_found(
    sabotage: Sabotage, seeds: range, climate: Climate, invariant: Invariant, migrated_file: Path
) -> None:
    found: set[Invariant] = set()
    mapped = MAPPED if sabotage is Sabotage.MISCOUNT_ITEMS else 0

    with sabotaged(sabotage):
        for seed in seeds:
            ending = tell(seed, migrated_file, waits=0, mapped=mapped, climate=climate)
            found |= {violation.invariant for violation in ending.violations}
            if invariant in found:
                break

    assert invariant in found, f"{len(seeds)} stories show only {found}"


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_more_stories(migrated_file: Path) -> None:
    first = int(os.environ.get("FLOWD_SIMULATION_SEED") or Random().randrange(10**9))
    number = int(os.environ.get("FLOWD_SIMULATION_STORIES", "500"))
    print(f"FLOWD_SIMULATION_SEED={first} FLOWD_SIMULATION_STORIES={number}")  # noqa: T201

    bad = [ending for seed in range(first, first + number) if not (ending := tell(seed, migrated_file)).is_good]

    assert bad == [], "\n".join(str(ending) for ending in bad[:3])
