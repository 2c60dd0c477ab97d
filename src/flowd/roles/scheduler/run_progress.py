"""RunProgress: what one transaction of the advance knows of a run, and what it has decided."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from flowd.db.ledger import advance
from flowd.domain.dag_run import DagRun
from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, InstanceKey, TaskId
from flowd.domain.mappable import DEFAULT_MOST_ITEMS
from flowd.domain.run_plan import Growth, News, PlanEvent, Standing, Step, Touched, outcome_of, setups_of
from flowd.domain.states import TaskState
from flowd.domain.tally import Place, Tally, place_of
from flowd.domain.task_events import Decided
from flowd.domain.task_instance import TaskInstance


@dataclass(slots=True)
class RunProgress:
    """What this transaction knows and has decided of one run.

    `most_crossed` is how many instances a mapped task may come to whose arguments are crossed.
    `rows` has the instance of each place, or the first of a mapped task's. `members` are all instances of some mapped
    tasks. `ended` counts the instances that this transaction has ended, `made` those that it has made. `revised` are
    the mapped groups whose map indexes are known to be as many as there are items.
    """

    run: DagRun
    graph: Graph
    most_crossed: int = DEFAULT_MOST_ITEMS
    rows: dict[TaskId, dict[int, advance.Row]] = field(default_factory=dict)
    members: dict[TaskId, list[advance.Row]] = field(default_factory=dict)
    tallies: dict[Place, Tally] = field(default_factory=dict)
    events: dict[Place, PlanEvent] = field(default_factory=dict)
    changes: list[tuple[TaskInstance, PlanEvent]] = field(default_factory=list)
    outcomes: dict[InstanceKey, TaskState] = field(default_factory=dict)
    told: list[InstanceKey] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    ended: int = 0
    made: int = 0
    held: frozenset[TaskId] = frozenset()
    revisit: tuple[Place, ...] = ()
    revised: set[str] = field(default_factory=set)
    decided_against: set[Place] = field(default_factory=set)

    @property
    def newly_ended(self) -> int:
        """How many instances this transaction takes off what is unfinished."""
        return len(self.told) + self.ended

    @property
    def is_pending(self) -> bool:
        """True where something has been decided whose consequences are open."""
        return bool(self.news or self.growths or self.revisit)

    def know(self, row: advance.Row) -> None:
        """Note an instance; of a mapped task that is in no mapped group, the first stands for all."""
        task_id, map_index = place_of(self.graph, row.instance.task_id, row.instance.map_index)
        self.rows.setdefault(task_id, {})[map_index] = row

    def place(self, wanted: Place) -> Place | None:
        """Return where a place is: as it is named, or unexpanded; None where it is nowhere."""
        task_id, map_index = wanted
        known = self.rows.get(task_id, {})
        return (task_id, map_index) if map_index in known else (task_id, UNMAPPED) if UNMAPPED in known else None

    def standings(self, touched: Touched) -> dict[Place, Standing]:
        """Return how these places stand after what has been decided so far."""
        found = [place for wanted in touched.places if (place := self.place(wanted)) is not None]
        found += [(task_id, map_index) for task_id in touched.tasks for map_index in self.rows.get(task_id, ())]
        return {place: self._standing(place) for place in found}

    def tally(self, place: Place) -> Tally:
        """Return the tally of a place after what has been told so far."""
        return self.tallies[place] if place in self.tallies else self.rows[place[0]][place[1]].tally

    def setup_states(self, task_ids: Iterable[TaskId]) -> dict[TaskId, Mapping[int, TaskState]]:
        """Return the states of the setups that these tasks wait for, after what has been decided so far."""
        return {
            setup: {
                row.instance.map_index: self.outcomes.get(row.instance.key, row.instance.state)
                for row in self.members.get(setup) or self.rows.get(setup, {}).values()
            }
            for setup in setups_of(self.graph, task_ids)
        }

    def take(self, decided: Step) -> dict[Place, PlanEvent]:
        """Note what a step decided, and return the events of mapped tasks: how they spread is still to be found out."""
        self.tallies.update(decided.tallies)
        self.news, self.growths, self.revisit = [], [], ()
        mapped: dict[Place, PlanEvent] = {}
        for place, event in decided.events.items():
            if self.graph.tasks[place[0]].expansion is not None:
                mapped[place] = event
            else:
                self.events[place] = event
                self.happen(self.rows[place[0]][place[1]].instance, event)
        return mapped

    def happen(self, instance: TaskInstance, event: PlanEvent) -> None:
        """Let an event happen to an instance; what it ends is news for the next step."""
        self.changes.append((instance, event))
        outcome = outcome_of(event)
        if outcome is not None:
            self.outcomes[instance.key] = outcome
            self.ended += 1
            self.news.append(News(task_id=instance.task_id, outcome=outcome, map_index=instance.map_index))

    def is_undecided(self, instance: TaskInstance) -> bool:
        """Return True where nothing has been decided of an instance, in the ledger or by this transaction."""
        return instance.state is TaskState.NONE and instance.key not in self.outcomes

    def has_told(self, instance: TaskInstance) -> bool:
        """Return True where the instance has ended and the tallies of its downstreams count that."""
        if instance.key in self.outcomes:
            place = (instance.task_id, instance.map_index)
            return all((one.task_id, one.map_index) != place for one in self.news)
        # What had ended when the transaction began was told of in its first step.
        return instance.state.is_finished

    def remove(self, instance: TaskInstance) -> None:
        """End as removed what is no instance of the DAG's; below a task that it does not have there is nothing."""
        event = Decided(TaskState.REMOVED)
        if instance.task_id in self.graph.tasks:
            self.happen(instance, event)
        else:
            self.changes.append((instance, event))
            self.ended += 1

    def _standing(self, place: Place) -> Standing:
        task_id, map_index = place
        row = self.rows[task_id][map_index]
        is_expanded = map_index == UNMAPPED and row.instance.map_index != UNMAPPED
        state = TaskState.NONE if is_expanded else row.instance.state
        if place in self.events:
            state = TaskState.SCHEDULED
        return Standing(place=place, state=state, tally=self.tally(place), is_expanded=is_expanded)
