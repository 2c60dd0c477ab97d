"""The state machine of a task instance: every edge, every refusal, and what holds under any sequence of events."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowd.domain.errors import IllegalTransition, StaleClaim
from flowd.domain.ids import ClaimToken, TaskId
from flowd.domain.states import FINISHED, WAITING, TaskState
from flowd.domain.task_events import (
    Cancelled,
    CancelRequested,
    Claimed,
    Cleared,
    CompletedWithoutWork,
    Decided,
    Deferred,
    Failed,
    Imported,
    Interrupted,
    Lost,
    Marked,
    Queued,
    Released,
    ReportEvent,
    Rescheduled,
    RunStopped,
    Scheduled,
    Skipped,
    Succeeded,
    TaskEvent,
    Triggered,
)
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_machine import LONGEST_WAIT, MAX_LOST, transition
from flowd.domain.task_spec import OnLost
from tests.support.specs import LEASE, NOW, OTHER_TOKEN, TOKEN, an_instance

WAIT = timedelta(minutes=5)
S = TaskState
UNFINISHED = set(S) - FINISHED
NO_TRY_LEFT, TRIES_LEFT = 0, 3

# Event, the states it is legal in, and where it leads; where that depends on the instance, tests of its own follow.
EDGES: list[tuple[TaskEvent, set[TaskState], TaskState]] = [
    (Scheduled(), {S.NONE, *WAITING}, S.SCHEDULED),
    (Decided(S.SKIPPED), {S.NONE}, S.SKIPPED),
    (Decided(S.UPSTREAM_FAILED), {S.NONE}, S.UPSTREAM_FAILED),
    (Decided(S.REMOVED), {S.NONE}, S.REMOVED),
    (CompletedWithoutWork(), {S.NONE}, S.SUCCESS),
    (Queued(), {S.SCHEDULED}, S.QUEUED),
    (Claimed(1, 0, TOKEN, "worker1", LEASE), {S.QUEUED}, S.RUNNING),
    (Succeeded(TOKEN), {S.RUNNING}, S.SUCCESS),
    (Skipped(TOKEN), {S.RUNNING}, S.SKIPPED),
    (Failed(TOKEN, WAIT), {S.RUNNING}, S.UP_FOR_RETRY),
    (Failed(TOKEN, WAIT, is_retry_allowed=False), {S.RUNNING}, S.FAILED),
    (Rescheduled(TOKEN, WAIT), {S.RUNNING}, S.UP_FOR_RESCHEDULE),
    (Deferred(TOKEN, WAIT), {S.RUNNING}, S.DEFERRED),
    (Triggered(1, 0), {S.DEFERRED}, S.SCHEDULED),
    (Interrupted(TOKEN), {S.RUNNING}, S.UP_FOR_RETRY),
    (Lost(TOKEN, OnLost.RETRY), {S.RUNNING}, S.UP_FOR_RETRY),
    (Lost(TOKEN, OnLost.FAIL), {S.RUNNING}, S.FAILED),
    (Cancelled(TOKEN), {S.RUNNING}, S.FAILED),
    (CancelRequested(), {S.RUNNING}, S.RUNNING),
    (CancelRequested(), UNFINISHED - {S.RUNNING}, S.FAILED),
    (Cleared(0), set(S) - {S.RUNNING, S.RESTARTING}, S.NONE),
    (Cleared(0), {S.RUNNING, S.RESTARTING}, S.RESTARTING),
    (Released(1), {S.RESTARTING}, S.NONE),
    *((Released(1), {state}, state) for state in sorted(FINISHED)),
    (Marked(S.SUCCESS), set(S), S.SUCCESS),
    (Marked(S.FAILED), set(S), S.FAILED),
    (Marked(S.SKIPPED), set(S), S.SKIPPED),
    (RunStopped(S.FAILED), UNFINISHED, S.FAILED),
    (RunStopped(S.SKIPPED), UNFINISHED, S.SKIPPED),
    (RunStopped(S.SUCCESS), UNFINISHED, S.SUCCESS),
    *((Imported(state), {S.NONE}, state) for state in sorted(FINISHED)),
]
REPORTS: list[ReportEvent] = [
    Succeeded(TOKEN),
    Skipped(TOKEN),
    Failed(TOKEN, WAIT),
    Rescheduled(TOKEN, WAIT),
    Deferred(TOKEN, WAIT),
    Interrupted(TOKEN),
    Lost(TOKEN, OnLost.RETRY),
    Cancelled(TOKEN),
]


def legal_from(event: TaskEvent) -> set[TaskState]:
    return {state for edge, states, _ in EDGES if edge == event for state in states}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize(("event", "states", "target"), EDGES)
def test_only_the_edges_of_the_graph_are_followed(
    event: TaskEvent, states: set[TaskState], target: TaskState, state: TaskState
) -> None:
    before = an_instance(state, max_tries=TRIES_LEFT, version=7)
    if state is S.RESTARTING or isinstance(event, Released):
        before = before._replace(try_number=1, held_until=NOW + LEASE)

    if state in states:
        after = transition(before, event, NOW)
        assert (after.state, after.version) == (target, 8)
    elif state not in legal_from(event):
        with pytest.raises(IllegalTransition):
            transition(before, event, NOW)


def test_every_kind_of_event_is_among_the_edges() -> None:
    assert {type(event) for event, _, _ in EDGES} == set(TaskEvent.__args__)


def test_what_is_imported_keeps_its_dates_and_tells_nobody() -> None:
    ended = transition(
        an_instance(), Imported(S.FAILED, try_number=3, max_tries=2, worker="old", started_at=NOW), NOW + WAIT
    )

    assert (ended.try_number, ended.max_tries, ended.worker) == (3, 2, "old")
    assert (ended.started_at, ended.ended_at, ended.needs_propagation) == (NOW, NOW + WAIT, False)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.cause)
def test_a_report_with_a_stale_token_is_refused(report: ReportEvent) -> None:
    with pytest.raises(StaleClaim, match=f"^etl.load: {report.cause} under token {OTHER_TOKEN}, but {TOKEN} holds it$"):
        transition(an_instance(S.RUNNING), replace(report, token=OTHER_TOKEN), NOW)


@pytest.mark.parametrize("try_number", [1, 3])
def test_a_claim_of_another_try_is_refused(try_number: int) -> None:
    with pytest.raises(StaleClaim, match=f"^etl.load: claim of try {try_number}, but try 2 is queued$"):
        transition(an_instance(S.QUEUED, try_number=2), Claimed(try_number, 0, TOKEN, "worker1", LEASE), NOW)


def test_a_second_claim_of_the_same_try_is_refused() -> None:
    running = transition(an_instance(S.QUEUED), Claimed(1, 0, TOKEN, "worker1", LEASE), NOW)

    with pytest.raises(IllegalTransition, match=r"^etl.load: claimed is for state queued; it is running$"):
        transition(running, Claimed(1, 0, OTHER_TOKEN, "worker2", LEASE), NOW)


@pytest.mark.parametrize(
    ("event", "outcome", "wanted"),
    [
        (Decided(S.FAILED), "failed", "removed, skipped, upstream_failed"),
        (Imported(S.RUNNING), "running", "failed, removed, skipped, success, upstream_failed"),
        (Marked(S.UPSTREAM_FAILED), "upstream_failed", "failed, skipped, success"),
        (RunStopped(S.RUNNING), "running", "failed, skipped, success"),
    ],
)
def test_an_outcome_that_an_event_cannot_bring_is_refused(event: TaskEvent, outcome: str, wanted: str) -> None:
    with pytest.raises(IllegalTransition, match=f"^etl.load: cannot end as {outcome}; wanted {wanted}$"):
        transition(an_instance(), event, NOW)


def test_a_claim_holds_token_worker_and_lease() -> None:
    running = transition(an_instance(S.QUEUED), Claimed(1, 0, TOKEN, "worker1", LEASE), NOW)

    assert (running.token, running.worker, running.lease_until) == (TOKEN, "worker1", NOW + LEASE)
    assert running.started_at == NOW


@pytest.mark.parametrize(
    "report",
    [Failed(TOKEN, timedelta.max), Rescheduled(TOKEN, timedelta.max), Deferred(TOKEN, timedelta.max)],
    ids=lambda report: report.cause,
)
def test_no_wait_leads_out_of_the_calendar(report: ReportEvent) -> None:
    assert transition(an_instance(S.RUNNING, max_tries=1), report, NOW).not_before == NOW + LONGEST_WAIT


@pytest.mark.parametrize(("retries", "tries"), [(0, 1), (1, 2), (3, 4)])
def test_a_task_that_always_fails_is_tried_once_more_than_its_retries(retries: int, tries: int) -> None:
    assert tries_until_failed(an_instance(max_tries=retries)) == tries


def test_a_cleared_task_has_all_its_retries_again() -> None:
    spent = an_instance(S.FAILED, try_number=4, max_tries=3, lost=2, skips=("report",))

    cleared = transition(spent, Cleared(retries=2), NOW)

    assert (cleared.lost, cleared.skips, cleared.needs_propagation) == (0, (), False)
    assert tries_until_failed(cleared) == 4 + 1 + 2


@pytest.mark.parametrize("report", [Rescheduled(TOKEN, WAIT), Deferred(TOKEN, None)], ids=lambda one: one.cause)
def test_a_try_that_waits_goes_on_in_another_leg_under_a_token_of_its_own(report: ReportEvent) -> None:
    later = NOW + WAIT
    waiting = transition(an_instance(S.RUNNING, started_at=NOW), report, later)
    queued = transition(transition(waiting, Scheduled(), later), Queued(), later)

    with pytest.raises(StaleClaim, match=r"^etl.load: claim of try 1 leg 0, but leg 1 is queued$"):
        transition(queued, Claimed(1, 0, TOKEN, "worker1", LEASE), later)
    again = transition(queued, Claimed(1, 1, OTHER_TOKEN, "worker2", LEASE), later)

    assert (again.try_number, again.leg, again.max_tries, again.token) == (1, 1, 0, OTHER_TOKEN)
    assert (again.started_at, again.waits_since) == (NOW, NOW)


def test_a_retry_begins_with_the_first_leg_and_still_counts_since_when_it_waits() -> None:
    waiting = transition(an_instance(S.RUNNING, max_tries=1, started_at=NOW), Rescheduled(TOKEN, WAIT), NOW)
    queued = transition(transition(waiting, Scheduled(), NOW), Queued(), NOW)
    running = transition(queued, Claimed(1, 1, TOKEN, "worker1", LEASE), NOW)

    failed = transition(running, Failed(TOKEN, WAIT), NOW + WAIT)
    retried = transition(transition(failed, Scheduled(), NOW), Queued(), NOW)

    assert (retried.try_number, retried.leg, retried.waits_since) == (2, 0, NOW)
    assert transition(retried, Cleared(0), NOW).waits_since is None


@pytest.mark.parametrize("event", [Triggered(1, 1), Triggered(2, 0)])
def test_a_trigger_of_another_leg_is_refused(event: Triggered) -> None:
    with pytest.raises(StaleClaim, match=r"but try 1 leg 0 is deferred$"):
        transition(an_instance(S.DEFERRED), event, NOW)


@pytest.mark.parametrize(
    "report",
    [Rescheduled(TOKEN, WAIT), Deferred(TOKEN, WAIT), Interrupted(TOKEN), Lost(TOKEN, OnLost.RETRY)],
    ids=lambda one: one.cause,
)
def test_a_try_that_did_not_fail_uses_no_retry(report: ReportEvent) -> None:
    waiting = transition(an_instance(S.RUNNING, max_tries=1), report, NOW)

    assert tries_until_failed(waiting) == waiting.max_tries + 1
    assert waiting.max_tries - waiting.try_number == (0 if waiting.leg else 1)


def tries_until_failed(instance: TaskInstance) -> int:
    while instance.state is not S.FAILED:
        instance = transition(transition(instance, Scheduled(), NOW), Queued(), NOW)
        instance = transition(instance, Claimed(instance.try_number, instance.leg, TOKEN, "worker1", LEASE), NOW)
        instance = transition(instance, Failed(TOKEN, WAIT), NOW)
    return instance.try_number


def test_a_task_that_has_killed_enough_workers_fails_whatever_its_retries() -> None:
    instance = an_instance(S.RUNNING, max_tries=99)
    for _ in range(MAX_LOST):
        waiting = transition(instance, Lost(TOKEN, OnLost.RETRY), NOW)
        instance = waiting._replace(state=S.RUNNING, token=TOKEN, lease_until=NOW)

    failed = transition(instance, Lost(TOKEN, OnLost.RETRY), NOW)

    assert (waiting.state, failed.state, failed.lost) == (S.UP_FOR_RETRY, S.FAILED, MAX_LOST + 1)


@pytest.mark.parametrize(
    ("report", "not_before"),
    [
        (Failed(TOKEN, WAIT), NOW + WAIT),
        (Rescheduled(TOKEN, WAIT), NOW + WAIT),
        (Lost(TOKEN, OnLost.RETRY), NOW),
        (Interrupted(TOKEN), NOW),
    ],
)
def test_a_waiting_task_knows_when_it_goes_on(report: ReportEvent, not_before: object) -> None:
    waiting = transition(an_instance(S.RUNNING, max_tries=1), report, NOW)

    assert waiting.not_before == not_before
    assert transition(waiting, Scheduled(), NOW).not_before is None


@pytest.mark.parametrize(
    "report", [report for report in REPORTS if not isinstance(report, Succeeded | Skipped)], ids=lambda one: one.cause
)
def test_a_try_that_was_asked_to_stop_is_never_followed_by_another(report: ReportEvent) -> None:
    asked = transition(an_instance(S.RUNNING, max_tries=TRIES_LEFT), CancelRequested(), NOW)

    assert asked.is_cancel_requested
    assert transition(asked, report, NOW).state is S.FAILED


@pytest.mark.parametrize("report", [Succeeded(TOKEN), Skipped(TOKEN)])
def test_a_try_that_ended_well_before_it_could_be_stopped_has_ended_well(report: ReportEvent) -> None:
    asked = transition(an_instance(S.RUNNING), CancelRequested(), NOW)

    assert transition(asked, report, NOW).state is not S.FAILED


@pytest.mark.parametrize(
    "intervention", [Cleared(0), Marked(S.SUCCESS), RunStopped(S.FAILED)], ids=lambda one: one.cause
)
def test_an_intervention_fences_the_process_that_runs(intervention: TaskEvent) -> None:
    after = transition(an_instance(S.RUNNING), intervention, NOW)

    assert (after.token, after.lease_until) == (None, None)
    for report in REPORTS:
        with pytest.raises(IllegalTransition):
            transition(after, report, NOW)


def test_a_branch_keeps_what_it_decided_against_for_its_downstreams() -> None:
    ended = transition(an_instance(S.RUNNING), Succeeded(TOKEN, skips=(TaskId("report"),)), NOW)

    assert (ended.skips, ended.needs_propagation) == (("report",), True)


def cleared_while_running() -> TaskInstance:
    return transition(an_instance(S.RUNNING), Cleared(0), NOW)


def test_a_cleared_running_task_restarts_when_its_worker_says_that_the_old_process_is_dead() -> None:
    restarting = cleared_while_running()

    released = transition(restarting, Released(1), NOW)

    assert (restarting.state, restarting.held_until, restarting.token) == (S.RESTARTING, NOW + LEASE, None)
    assert (released.state, released.held_until) == (S.NONE, None)


@pytest.mark.parametrize(
    "event", [Scheduled(), Queued(), Claimed(1, 0, TOKEN, "worker1", LEASE), CompletedWithoutWork()]
)
def test_a_restarting_task_goes_nowhere_while_its_old_process_may_live(event: TaskEvent) -> None:
    with pytest.raises(IllegalTransition, match=r"it is restarting$"):
        transition(cleared_while_running(), event, NOW)


def test_a_running_task_whose_lease_is_over_is_none_as_soon_as_it_is_cleared() -> None:
    cleared = transition(an_instance(S.RUNNING, lease_until=NOW), Cleared(0), NOW)

    assert (cleared.state, cleared.held_until) == (S.NONE, None)


@pytest.mark.parametrize("intervention", [Marked(S.FAILED), RunStopped(S.SKIPPED)], ids=lambda one: one.cause)
def test_a_task_that_was_ended_while_it_ran_restarts_only_after_its_old_process(intervention: TaskEvent) -> None:
    ended = transition(an_instance(S.RUNNING), intervention, NOW)

    cleared = transition(ended, Cleared(0), NOW)

    assert ended.held_until == NOW + LEASE
    assert (cleared.state, cleared.held_until) == (S.RESTARTING, NOW + LEASE)


def test_the_death_of_an_old_process_leaves_an_ended_task_as_it_ended() -> None:
    ended = transition(an_instance(S.RUNNING), Marked(S.SUCCESS), NOW)

    released = transition(ended, Released(1), NOW)

    assert (released.state, released.held_until) == (S.SUCCESS, None)
    assert transition(released, Cleared(0), NOW).state is S.NONE


@pytest.mark.parametrize(
    ("instance", "try_number"),
    [(cleared_while_running(), 2), (an_instance(S.SUCCESS, try_number=1), 1)],
    ids=["another try", "nothing held"],
)
def test_a_release_of_what_is_not_held_is_refused(instance: TaskInstance, try_number: int) -> None:
    with pytest.raises(StaleClaim, match=f"^etl.load: nothing is held for try {try_number}$"):
        transition(instance, Released(try_number), NOW)


class AnyEvents(RuleBasedStateMachine):
    """One instance under any sequence of events, legal or not; what is refused changes nothing.

    Beside it live the processes of its tries: each dies with its report, with its worker's word, or with its lease.
    """

    @initialize(retries=st.integers(0, 2))
    def create(self, retries: int) -> None:
        self.instance = an_instance(max_tries=retries)
        self.now = NOW
        self.transitions = 0
        self.token_of_leg: dict[tuple[int, int], ClaimToken] = {}
        self.living: dict[ClaimToken, tuple[int, datetime]] = {}

    def meet(self, event: TaskEvent) -> None:
        before = self.instance
        try:
            after = transition(before, event, self.now)
        except (IllegalTransition, StaleClaim):
            return
        assert after.version == before.version + 1
        assert after.try_number == before.try_number + (isinstance(event, Queued) and not before.leg)
        assert not before.state.is_finished or isinstance(event, Cleared | Marked | Released)
        assert isinstance(event, Released) or after.needs_propagation == after.state.is_finished
        edges = {(state, target) for edge, states, target in EDGES if type(edge) is type(event) for state in states}
        # A user's wish to stop, and a spent budget, turn every wait into an end.
        edges |= {(state, S.FAILED) for state, target in edges if state is S.RUNNING and target in WAITING}
        if isinstance(event, Cleared):
            edges = {(state, S.NONE if after.held_until is None else S.RESTARTING) for state in S}
        assert (before.state, after.state) in edges
        self.instance = after
        self.transitions += 1

    def processes_that_may_live(self) -> list[ClaimToken]:
        """Those that nobody has said to be dead and that no lease has ended: the keeper kills by then."""
        return [token for token, (_, dead_at) in self.living.items() if dead_at > self.now]

    @rule(part=st.sampled_from([0.3, 1.0]))
    def time_passes(self, part: float) -> None:
        self.now += LEASE * part

    @precondition(lambda self: self.instance.token in self.processes_that_may_live())
    @rule()
    def the_holder_keeps_its_lease(self) -> None:
        self.instance = self.instance._replace(lease_until=self.now + LEASE)
        assert self.instance.token is not None
        self.living[self.instance.token] = (self.instance.try_number, self.now + LEASE)

    @precondition(lambda self: any(token != self.instance.token for token in self.living))
    @rule(data=st.data())
    def a_worker_says_that_a_fenced_process_is_dead(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from([token for token in self.living if token != self.instance.token]))
        try_number, _ = self.living.pop(token)
        self.meet(Released(try_number))

    @precondition(lambda self: self.instance.held_until is not None and self.instance.held_until <= self.now)
    @rule()
    def a_scheduler_sees_that_the_lease_of_an_old_process_is_over(self) -> None:
        self.meet(Released(self.instance.try_number))

    @rule(
        event=st.sampled_from(
            [Scheduled(), Queued(), CompletedWithoutWork(), CancelRequested(), Triggered(1, 1), Triggered(1, 2)]
            + [Decided(state) for state in S]
            + [RunStopped(state) for state in S]
            + [Marked(state) for state in S]
        )
    )
    def something_happens(self, event: TaskEvent) -> None:
        self.meet(event)

    # Without these, random events would seldom lead as far as a claim, and less often to what follows it.
    @rule(retries=st.integers(0, 2))
    def a_user_clears_it(self, retries: int) -> None:
        self.meet(Cleared(retries))

    @precondition(lambda self: self.instance.state is S.RUNNING)
    @rule(outcome=st.sampled_from([S.SUCCESS, S.FAILED]), is_marked=st.booleans())
    def a_user_ends_it_while_it_runs(self, outcome: TaskState, is_marked: bool) -> None:
        self.meet(Marked(outcome) if is_marked else RunStopped(outcome))

    @precondition(lambda self: self.instance.state in WAITING | {S.NONE})
    @rule(is_claimed=st.booleans())
    def its_turn_comes(self, is_claimed: bool) -> None:
        self.meet(Scheduled())
        self.meet(Queued())
        if is_claimed:
            self.claim(self.instance.try_number)

    @precondition(lambda self: self.instance.state is S.QUEUED)
    @rule(behind=st.sampled_from([0, 0, 0, 1]))
    def a_worker_claims(self, behind: int) -> None:
        self.claim(self.instance.try_number - behind)

    def claim(self, try_number: int) -> None:
        token = ClaimToken(f"token {self.transitions}")

        leg = self.instance.leg
        self.meet(Claimed(try_number, leg, token, "worker1", LEASE))

        if self.instance.token == token:
            assert try_number == self.instance.try_number
            assert (try_number, leg) not in self.token_of_leg
            assert self.processes_that_may_live() == [], "I10: a try began while an old process may live"
            self.token_of_leg[try_number, leg] = token
            self.living[token] = (try_number, self.now + LEASE)

    @precondition(lambda self: self.instance.token is not None)
    @rule(report=st.sampled_from(REPORTS))
    def the_holder_reports(self, report: ReportEvent) -> None:
        assert self.instance.token is not None and self.instance.lease_until is not None
        if isinstance(report, Lost):
            # Nobody speaks for a silent worker before its lease is over.
            self.now = max(self.now, self.instance.lease_until)
        else:
            self.living.pop(self.instance.token, None)
        version = self.instance.version
        self.meet(replace(report, token=self.instance.token))
        assert self.instance.version == version + 1

    @precondition(lambda self: self.token_of_leg)
    @rule(report=st.sampled_from(REPORTS), data=st.data())
    def a_former_holder_reports(self, report: ReportEvent, data: st.DataObject) -> None:
        former = [token for token in self.token_of_leg.values() if token != self.instance.token]
        if not former:
            return
        before = self.instance
        self.meet(replace(report, token=data.draw(st.sampled_from(former))))
        assert self.instance is before

    @precondition(lambda self: self.instance.needs_propagation)
    @rule()
    def its_downstreams_are_told(self) -> None:
        self.instance = self.instance._replace(needs_propagation=False)

    @invariant()
    def token_and_lease_are_held_exactly_while_running(self) -> None:
        is_running = self.instance.state is S.RUNNING
        assert (self.instance.token is not None) == (self.instance.lease_until is not None) == is_running
        assert is_running or not self.instance.is_cancel_requested

    @invariant()
    def a_process_that_may_live_and_has_no_token_is_waited_for(self) -> None:
        fenced = [token for token in self.processes_that_may_live() if token != self.instance.token]
        assert not fenced or self.instance.held_until is not None

    @invariant()
    def tries_keep_to_the_budget(self) -> None:
        assert self.instance.try_number <= self.instance.max_tries + 1

    @invariant()
    def a_time_to_go_on_is_known_exactly_while_waiting(self) -> None:
        is_timed = self.instance.state in WAITING
        assert (self.instance.not_before is not None) == is_timed

    @invariant()
    def versions_are_contiguous(self) -> None:
        assert self.instance.version == self.transitions


TestAnyEvents = AnyEvents.TestCase
TestAnyEvents.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
