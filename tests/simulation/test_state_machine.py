"""The same clusters in the hands of Hypothesis: what befalls them are its rules, and bad stories are cut down."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from flowd.domain.states import RunState
from tests.simulation.cluster import Cluster
from tests.simulation.story import a_cluster
from tests.simulation.virtual_loop import Process
from tests.support.checker.violation import Invariant
from tests.support.sabotage import Sabotage, sabotaged

NODES = st.integers(0, 3)
"""Two schedulers and two workers, by their place."""

SHORT = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


class ClusterMachine(RuleBasedStateMachine):
    """Any rule may follow any other; at the end everything is mended and the checker judges."""

    migrated_file: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.cluster: Cluster = self._stack.enter_context(a_cluster(seed, self.migrated_file))

    @rule(seconds=st.floats(0.01, 30))
    def let_time_pass(self, seconds: float) -> None:
        self.cluster.run_for(seconds)

    @rule(number=st.integers(1, 4))
    def trigger(self, number: int) -> None:
        for _ in range(number):
            self.cluster.trigger()

    @rule(node=NODES)
    def kill(self, node: int) -> None:
        self.cluster.kill(self._node(node))

    @rule(node=NODES)
    def restart(self, node: int) -> None:
        self.cluster.restart(self._node(node))

    @rule(node=NODES)
    def freeze(self, node: int) -> None:
        self.cluster.freeze(self._node(node))

    @rule(node=NODES)
    def thaw(self, node: int) -> None:
        self.cluster.thaw(self._node(node))

    @rule(node=NODES, is_database=st.booleans())
    def cut(self, node: int, is_database: bool) -> None:
        cut = self.cluster.cut_from_database if is_database else self.cluster.cut_from_broker
        cut(self._node(node))

    @rule(kind=st.sampled_from(["lost", "repeated", "late", "unconfirmed", "altered"]), share=st.floats(0.1, 0.9))
    def turn_the_weather(self, kind: str, share: float) -> None:
        setattr(self.cluster.broker.weather, kind, share)

    @rule(worker=st.integers(0, 1))
    def drain(self, worker: int) -> None:
        self.cluster.drain(self.cluster.workers[worker])

    @rule(is_down=st.booleans())
    def outage(self, is_down: bool) -> None:
        self.cluster.database.is_down = is_down

    @rule(share=st.floats(0, 0.5))
    def lose_answers(self, share: float) -> None:
        self.cluster.database.lost_answers = share

    @rule(only_failed=st.booleans())
    def clear(self, only_failed: bool) -> None:
        self.cluster.clear(only_failed=only_failed)

    @rule(state=st.sampled_from([RunState.SUCCESS, RunState.FAILED, RunState.QUEUED]))
    def mark(self, state: RunState) -> None:
        self.cluster.mark(state)

    @rule()
    def mend(self) -> None:
        self.cluster.heal()

    def teardown(self) -> None:
        try:
            if hasattr(self, "cluster"):
                violations = self.cluster.finish()
                assert violations == [], "\n".join(map(str, violations))
                assert self.cluster.errors == []
        finally:
            self._stack.close()

    def _node(self, place: int) -> Process:
        return self.cluster.nodes[place]


@pytest.fixture
def machine(migrated_file: Path) -> type[ClusterMachine]:
    return type("Machine", (ClusterMachine,), {"migrated_file": migrated_file})


@pytest.mark.timeout(1200)
def test_whatever_the_rules_do_no_invariant_is_violated(machine: type[ClusterMachine]) -> None:
    run_state_machine_as_test(machine, settings=SHORT)


@pytest.mark.timeout(1200)
def test_an_unguarded_rescuer_is_found_by_the_rules(machine: type[ClusterMachine]) -> None:
    # One story in twenty finds it, and which ones depends on the modules that other tests have loaded (Hypothesis takes
    # constants from them). Found is enough here: to cut the story down takes longer than this test may.
    hunting = settings(SHORT, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)

    with sabotaged(Sabotage.UNGUARD_THE_RESCUER), pytest.raises(AssertionError) as found:
        run_state_machine_as_test(machine, settings=hunting)

    assert f"{Invariant.I10.name} " in str(found.value)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_more_examples(machine: type[ClusterMachine]) -> None:
    examples = int(os.environ.get("FLOWD_SIMULATION_EXAMPLES", "300"))

    run_state_machine_as_test(machine, settings=settings(SHORT, max_examples=examples, derandomize=False))
