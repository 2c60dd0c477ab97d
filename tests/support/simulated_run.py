"""A run in memory: the plan and the task machine, driven one move at a time in any order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, ClaimToken, InstanceKey, TaskId
from flowd.domain.run_plan import News, Standing, Step, downstream_of, setups_of, step, verdict_of
from flowd.domain.states import TaskState
from flowd.domain.tally import Place, Tally, recount
from flowd.domain.task_events import Claimed, Failed, Queued, ReportEvent, Scheduled, Skipped, Succeeded
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_machine import transition
from flowd.domain.trigger_rules import Verdict
from tests.support.specs import LEASE, NOW, an_instance

_RETRY_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task will end where it is run: in `state`, after `failures` failed tries, deciding against `skips`."""

    state: TaskState = TaskState.SUCCESS
    failures: int = 0
    skips: tuple[TaskId, ...] = ()


@dataclass(slots=True)
class SimulatedRun:
    """The instances of one run and what their rows hold. `outcomes` are fixed, so that only the order is left open."""

    graph: Graph
    outcomes: Mapping[TaskId, Outcome] = field(default_factory=dict)
    held: set[TaskId] = field(default_factory=set)
    instances: dict[TaskId, TaskInstance] = field(init=False)
    tallies: dict[TaskId, Tally] = field(init=False)

    def __post_init__(self) -> None:
        self.tallies = dict.fromkeys(self.graph.tasks, Tally())
        self.instances = {
            task_id: an_instance(task_id=task_id, key=InstanceKey(key), max_tries=self.outcome(task_id).failures)
            for key, task_id in enumerate(self.graph.tasks)
        }
        self.revisit(self.graph.tasks)

    def outcome(self, task_id: TaskId) -> Outcome:
        """How this task will end; well where nothing else is said."""
        return self.outcomes.get(task_id, Outcome())

    def state(self, task_id: str) -> TaskState:
        """The state of a task."""
        return self.instances[TaskId(task_id)].state

    @property
    def states(self) -> dict[TaskId, TaskState]:
        """The state of every task."""
        return {task_id: instance.state for task_id, instance in self.instances.items()}

    @property
    def scheduled(self) -> list[TaskId]:
        """The tasks that wait for a slot."""
        return [task_id for task_id, state in self.states.items() if state is TaskState.SCHEDULED]

    @property
    def waiting(self) -> list[TaskId]:
        """The tasks that wait for their next try."""
        return [task_id for task_id, state in self.states.items() if state.is_waiting_for_time]

    @property
    def untold(self) -> list[TaskId]:
        """The tasks that have ended and whose downstreams do not know it."""
        return [task_id for task_id, instance in self.instances.items() if instance.needs_propagation]

    def run_one_try(self, task_id: TaskId) -> None:
        """Queue, claim and end one try of a scheduled task."""
        self.instances[task_id] = transition(self.instances[task_id], Queued(), NOW)
        try_number = self.instances[task_id].try_number
        token = ClaimToken(f"{task_id} {try_number}")
        self.instances[task_id] = transition(
            self.instances[task_id], Claimed(try_number, 0, token, "worker1", LEASE), NOW
        )
        self.instances[task_id] = transition(self.instances[task_id], self._report(task_id, try_number, token), NOW)

    def finish(self, *task_ids: str) -> None:
        """Run tasks to their end, in this order, and tell everyone below after each."""
        for task_id in task_ids:
            while not self.state(task_id).is_finished:
                self.run_one_try(TaskId(task_id))
            while self.untold:
                self.tell(self.untold)

    def go_on(self, task_id: TaskId) -> None:
        """Let the time for which a task waited have come."""
        self.instances[task_id] = transition(self.instances[task_id], Scheduled(), NOW)

    def tell(self, task_ids: Sequence[TaskId]) -> Step:
        """Tell the downstreams of tasks that have ended, in one step."""
        news = [self._news(task_id) for task_id in task_ids]
        touched = [task_id for task_id, _ in downstream_of(self.graph, news).places]
        setup_states = self.setup_states(touched, telling=task_ids)
        taken = step(self.graph, news, self.standings(touched), held=self.held, setup_states=setup_states)
        for task_id in task_ids:
            self.replace(task_id, needs_propagation=False)
        self._apply(taken)
        return taken

    def release(self, task_id: TaskId) -> Step:
        """Let a held task go: the past it depends on is settled."""
        self.held.remove(task_id)
        return self.revisit([task_id])

    def revisit(self, task_ids: Iterable[TaskId]) -> Step:
        """Judge tasks anew though no upstream of theirs has ended."""
        taken = self.look_again(task_ids)
        self._apply(taken)
        return taken

    def look_again(self, task_ids: Iterable[TaskId]) -> Step:
        """Return what the plan would do with tasks for which there is no news."""
        tasks = list(task_ids)
        standings = self.standings(tasks)
        return step(
            self.graph,
            [],
            standings,
            held=self.held,
            revisit=[(task_id, UNMAPPED) for task_id in tasks],
            decided_against=[(task_id, UNMAPPED) for task_id in self.decided_against()],
            setup_states=self.setup_states(tasks),
        )

    def decided_against(self) -> set[TaskId]:
        """The tasks that branches decided against which have ended and have told so."""
        branches = [one for one in self.instances.values() if one.state is TaskState.SUCCESS]
        return {task_id for one in branches if not one.needs_propagation for task_id in one.skips}

    def replace(self, task_id: TaskId, **fields: Any) -> None:
        """Set fields of an instance."""
        self.instances[task_id] = self.instances[task_id]._replace(**fields)

    def standings(self, task_ids: Iterable[TaskId]) -> dict[Place, Standing]:
        """What `step` asks to know of these tasks, and of no other."""
        return {
            (one, UNMAPPED): Standing(place=(one, UNMAPPED), state=self.state(one), tally=self.tallies[one])
            for one in task_ids
        }

    def recounted(self, task_id: TaskId) -> Tally:
        """A task's tally from the rows of its upstreams."""
        return recount(self.graph, self.instances.values())[task_id, UNMAPPED]

    def verdict_from_scratch(self, task_id: TaskId) -> Verdict:
        """What the trigger rule says of a task, from the rows of its upstreams."""
        task = self.graph.tasks[task_id]
        return verdict_of(self.graph, task, self.recounted(task_id), self.setup_states([task_id]))

    def setup_states(
        self, task_ids: Iterable[TaskId], telling: Iterable[TaskId] = ()
    ) -> dict[TaskId, dict[int, TaskState]]:
        """The states of the setups that these tasks wait for; one that has not told of its end counts as running."""
        told = set(telling)
        return {
            one: {
                UNMAPPED: TaskState.RUNNING
                if self.instances[one].needs_propagation and one not in told
                else self.state(one)
            }
            for one in setups_of(self.graph, task_ids)
        }

    def _apply(self, taken: Step) -> None:
        self.tallies |= {task_id: tally for (task_id, _), tally in taken.tallies.items()}
        for (task_id, _), event in taken.events.items():
            self.instances[task_id] = transition(self.instances[task_id], event, NOW)

    def _news(self, task_id: TaskId) -> News:
        instance = self.instances[task_id]
        return News(task_id=task_id, outcome=instance.state, skips=instance.skips)

    def _report(self, task_id: TaskId, try_number: int, token: ClaimToken) -> ReportEvent:
        outcome = self.outcome(task_id)
        if try_number <= outcome.failures:
            return Failed(token, _RETRY_AFTER)
        match outcome.state:
            case TaskState.SUCCESS:
                return Succeeded(token, skips=outcome.skips)
            case TaskState.SKIPPED:
                return Skipped(token)
            case _:
                return Failed(token, _RETRY_AFTER, is_retry_allowed=False)
