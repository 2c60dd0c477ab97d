"""LeaseWatch: who may be given up, on the rescuer's own clock."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.domain.lease import ExpiredLease, LeaseWatch


def a_watch(patience: float = 10, health: float = 60) -> LeaseWatch:
    return LeaseWatch(patience=timedelta(seconds=patience), health=timedelta(seconds=health))


def a_lease(token: str = "a", heartbeats: int = 3) -> ExpiredLease:
    return ExpiredLease(key=InstanceKey(1), token=ClaimToken(token), heartbeats=heartbeats)


def a_healthy_watch() -> LeaseWatch:
    """A watch that has seen the metastore answer since 1000 s ago; it is 0 s now."""
    watch = a_watch()
    watch.observe([], -1000)
    return watch


def test_a_lease_is_given_up_once_it_has_stood_still_for_the_patience() -> None:
    watch = a_healthy_watch()

    assert watch.observe([a_lease()], 0) == []
    assert watch.observe([a_lease()], 9.9) == []
    assert watch.observe([a_lease()], 10) == [a_lease()]


def test_a_worker_that_sends_a_heartbeat_again_is_watched_anew() -> None:
    watch = a_healthy_watch()
    watch.observe([a_lease(heartbeats=3)], 0)

    assert watch.observe([a_lease(heartbeats=4)], 10) == []
    assert watch.observe([a_lease(heartbeats=4)], 20) == [a_lease(heartbeats=4)]


def test_a_lease_that_was_renewed_and_ends_again_is_watched_anew() -> None:
    watch = a_healthy_watch()
    watch.observe([a_lease()], 0)
    watch.observe([], 5)

    assert watch.observe([a_lease()], 10) == []


def test_a_jump_of_the_metastores_clock_kills_nobody_whose_heart_beats() -> None:
    watch = a_healthy_watch()

    for second in range(100):
        every_lease = [a_lease(token, heartbeats=second // 5) for token in "abc"]
        assert watch.observe(every_lease, second) == []


def test_nobody_is_given_up_before_the_metastore_has_been_healthy_for_long_enough() -> None:
    watch = a_watch(patience=10, health=60)

    given_up_at = [second for second in range(0, 100, 5) if watch.observe([a_lease()], second)]

    assert given_up_at[0] == 60


def test_an_outage_begins_all_patience_and_health_anew() -> None:
    watch = a_healthy_watch()
    watch.observe([a_lease()], 0)
    watch.unreachable()

    given_up_at = [second for second in range(20, 120, 5) if watch.observe([a_lease()], second)]

    assert given_up_at[0] == 80


def test_what_was_seen_before_an_outage_counts_for_nothing_even_where_health_returns_soon() -> None:
    watch = a_watch(patience=60, health=10)
    watch.observe([a_lease()], 0)
    watch.unreachable()

    given_up_at = [second for second in range(20, 120, 5) if watch.observe([a_lease()], second)]

    assert given_up_at[0] == 80


def test_one_silent_worker_is_given_up_among_others_that_are_alive() -> None:
    watch = a_healthy_watch()
    watch.observe([a_lease("dead"), a_lease("alive", heartbeats=1)], 0)

    assert watch.observe([a_lease("dead"), a_lease("alive", heartbeats=2)], 10) == [a_lease("dead")]


observations = st.lists(
    st.tuples(
        st.floats(0.1, 30),
        st.none() | st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=3),
    ),
    max_size=30,
)


@given(observations, st.sampled_from([(20, 40), (40, 20)]))
def test_whoever_is_given_up_was_silent_for_the_patience_in_a_healthy_time(
    seen: list[tuple[float, dict[str, int] | None]], lengths: tuple[float, float]
) -> None:
    patience, health = lengths
    watch = a_watch(patience, health)
    history: list[tuple[float, dict[str, int] | None]] = []
    at = 0.0
    for wait, leases in seen:
        at += wait
        history.append((at, leases))
        if leases is None:
            watch.unreachable()
            continue

        given_up = watch.observe([a_lease(token, beats) for token, beats in leases.items()], at)

        for lease in given_up:
            still = [when for when, found in unbroken(history) if found.get(lease.token) == lease.heartbeats]
            lately = [
                found.get(lease.token) == lease.heartbeats for when, found in unbroken(history) if when >= at - patience
            ]
            assert at - unbroken(history)[0][0] >= health
            assert at - still[0] >= patience
            assert all(lately)


def unbroken(history: list[tuple[float, dict[str, int] | None]]) -> list[tuple[float, dict[str, int]]]:
    """The observations since the last outage."""
    since: list[tuple[float, dict[str, int]]] = []
    for at, found in history:
        since = [] if found is None else [*since, (at, found)]
    return since
