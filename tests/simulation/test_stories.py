"""Whole clusters in virtual time: whatever befalls them no invariant is violated, but where flowd is broken."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.simulation.story import tell
from tests.support.checker.violation import Invariant
from tests.support.sabotage import Sabotage, sabotaged

SEEDS = range(12)
MOST_SEEDS = 60
"""In so many stories each sabotage must have been found. They begin with one that finds it today; no task waits."""


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_befalls_a_cluster_no_invariant_is_violated(seed: int, migrated_file: Path) -> None:
    ending = tell(seed, migrated_file)

    assert ending.is_good, str(ending)


def test_the_same_seed_tells_the_same_story(migrated_file: Path) -> None:
    assert tell(1, migrated_file) == tell(1, migrated_file)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("sabotage", "first_seed", "invariant"),
    [
        (Sabotage.BREAK_THE_TRY_CHECK, 64, Invariant.I11),
        (Sabotage.ACK_BEFORE_CLAIM, 16, Invariant.I9),
        (Sabotage.UNGUARD_THE_RESCUER, 10, Invariant.I10),
        (Sabotage.IGNORE_THE_LIMITS, 0, Invariant.I7),
        (Sabotage.BEGIN_EARLY, 0, Invariant.I6),
    ],
)
def test_a_sabotage_is_found(sabotage: Sabotage, first_seed: int, invariant: Invariant, migrated_file: Path) -> None:
    found: set[Invariant] = set()

    with sabotaged(sabotage):
        for seed in range(first_seed, first_seed + MOST_SEEDS):
            found |= {violation.invariant for violation in tell(seed, migrated_file, waits=0).violations}
            if invariant in found:
                break

    assert invariant in found, f"{MOST_SEEDS} stories from seed {first_seed} show only {found}"


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_more_stories(migrated_file: Path) -> None:
    first = int(os.environ.get("FLOWD_SIMULATION_SEED") or Random().randrange(10**9))
    number = int(os.environ.get("FLOWD_SIMULATION_STORIES", "500"))
    print(f"FLOWD_SIMULATION_SEED={first} FLOWD_SIMULATION_STORIES={number}")  # noqa: T201

    bad = [ending for seed in range(first, first + number) if not (ending := tell(seed, migrated_file)).is_good]

    assert bad == [], "\n".join(str(ending) for ending in bad[:3])
