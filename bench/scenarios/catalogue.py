"""The scenarios by name, in the order in which they are measured."""

from bench.figure import Unit
from bench.scenarios.first_instruction import FirstInstruction
from bench.scenarios.idle import Idle
from bench.scenarios.scenario import Scenarios
from bench.scenarios.timed_runs import TimedRuns

# Idleness first: memory after thousands of tasks would say something else.
SCENARIOS: Scenarios = {
    "idle": Idle(name="idle", dag_id="bench_seq40"),
    "trigger_to_first": FirstInstruction(name="trigger_to_first", dag_id="bench_first"),
    "seq40": TimedRuns(
        name="seq40",
        dag_id="bench_seq40",
        tasks=40,
        words="a hop, 40 Python tasks in a row",
        unit=Unit.MILLISECONDS,
        against=("hop.{backend}", "commit.{backend}"),
        is_chain=True,
    ),
    "bash_fan": TimedRuns(
        name="bash_fan",
        dag_id="bench_bash_fan",
        tasks=502,
        words="bash tasks, 1 -> 500 -> 1",
        unit=Unit.PER_SECOND,
        against=("spawn",),
    ),
    "noop_fan": TimedRuns(
        name="noop_fan",
        dag_id="bench_noop_fan",
        tasks=500,
        words="Python no-ops, 500 at once",
        unit=Unit.PER_SECOND,
        against=("fork", "fork_sdk"),
    ),
}
