"""The scenarios by name, in the order in which they are measured."""

from bench.cluster.large_dags import write_folder, write_grouped
from bench.cluster.layout import ALL_SIZES, EMPTY, GROUPED, MAPPED, ONE_DAG, SIZES
from bench.cluster.layout import MANY_DAGS as DAGS_200
from bench.figure import Unit
from bench.scenarios.boot import Boot
from bench.scenarios.first_instruction import FirstInstruction
from bench.scenarios.history import History
from bench.scenarios.idle import Idle
from bench.scenarios.load import BASH_FAN, MANY_DAGS, NOOP_FAN, SEQ10, SEQ40, grouped, mapped
from bench.scenarios.read_size import ReadSize
from bench.scenarios.run_size import RunSize
from bench.scenarios.scaling import SCALINGS, Scaling
from bench.scenarios.scenario import Scenario, Scenarios
from bench.scenarios.schedule_lag import ScheduleLag
from bench.scenarios.timed_load import TimedLoad
from bench.scenarios.watched import Watched

_IDLE_1 = Idle(name="idle_1", layout=ONE_DAG, dags=1)
_IDLE_200 = Idle(name="idle_200", layout=DAGS_200, dags=200)

_ALL: tuple[Scenario, ...] = (
    # Idleness first: memory after a restart would say something else.
    _IDLE_1,
    Boot(name="boot", layout=ONE_DAG, dag_ids=_IDLE_1.dag_ids, words="every role in one process, 1 DAG"),
    _IDLE_200,
    Boot(name="boot_200", layout=DAGS_200, dag_ids=_IDLE_200.dag_ids, words="every role in one process, 200 DAGs"),
    FirstInstruction(),
    TimedLoad(
        name="seq40",
        load=SEQ40,
        unit=Unit.MILLISECONDS,
        against=("hop.{backend}", "commit.{metastore}"),
        beside=("celery.chain",),
    ),
    TimedLoad(name="seq10", load=SEQ10, unit=Unit.MILLISECONDS, against=("fibo_33",)),
    TimedLoad(name="bash_fan", load=BASH_FAN, unit=Unit.PER_SECOND, against=("spawn",), beside=("celery.bash",)),
    TimedLoad(
        name="noop_fan",
        load=NOOP_FAN,
        unit=Unit.PER_SECOND,
        against=("fork", "fork_sdk"),
        beside=("celery.noop",),
    ),
    Watched(name="watched", load=NOOP_FAN),
    TimedLoad(name="many_dags", load=MANY_DAGS, unit=Unit.PER_SECOND, against=("spawn",)),
    ScheduleLag(),
    RunSize(name="run_size_1000", layout=SIZES, small=100, large=1_000),
    RunSize(name="run_size_10000", layout=ALL_SIZES, small=100, large=10_000, takes_long=True, is_long=True),
    RunSize(name="mapped_5000", layout=MAPPED, small=500, large=5_000, load_of=mapped, takes_long=True, is_long=True),
    RunSize(name="groups_2000", layout=GROUPED, small=200, large=2_000, load_of=grouped, is_long=True),
    ReadSize(name="read_groups_10000", write=write_grouped, what="task", layout=EMPTY, small=2_000, large=10_000),
    ReadSize(name="folder_1000", write=write_folder, what="file", layout=EMPTY, small=100, large=1_000, is_due=True),
    History(),
    *SCALINGS,
)

SCENARIOS: Scenarios = {scenario.name: scenario for scenario in _ALL}
STANDARD = tuple(scenario.name for scenario in _ALL if not scenario.is_long)

PROFILED = tuple(scenario.name for scenario in _ALL if not isinstance(scenario, Boot | History | ReadSize | Scaling))
"""Those that start and stop no node: a profiled node is the process that profiles."""
