"""Values of the domain with only the relevant fields shown, and strategies for random ones."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from flowd.domain.admission import Candidate
from flowd.domain.assets import AliasSpec, AllOf, AnyOf, AssetCondition, AssetSpec
from flowd.domain.assignment import Assignment, RunContext
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.deferral import Resume
from flowd.domain.graph import Graph, graph_of
from flowd.domain.ids import BundleHash, ClaimToken, DagId, InstanceKey, RunId, RunKey, TaskId
from flowd.domain.retry import RetryPolicy
from flowd.domain.states import RunType, TaskState
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_spec import DEFAULT_POOL, OnLost, StartMethod, TaskRole, TaskSpec
from flowd.domain.timetable import CronTriggerTimetable, DeltaTriggerTimetable, NullTimetable, OnceTimetable
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import BashWork, NoWork, PythonWork, Work

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
TOKEN = ClaimToken("a" * 32)
OTHER_TOKEN = ClaimToken("b" * 32)


def ids(*names: str) -> list[TaskId]:
    """Task ids of these names."""
    return [TaskId(name) for name in names]


def a_task(task_id: str, *, after: Iterable[str] = (), **fields: Any) -> TaskSpec:
    """A bash task below the tasks named in `after`."""
    defaults: dict[str, Any] = {"operator": "BashOperator", "work": BashWork(script="true")}
    upstream = tuple(ids(*after))
    return TaskSpec(task_id=TaskId(task_id), upstream=upstream, **(defaults | fields))


def a_dag(*tasks: TaskSpec, dag_id: str = "etl", **fields: Any) -> DagSpec:
    """A DAG of these tasks that runs only when triggered."""
    defaults: dict[str, Any] = {"file": "etl.py", "timetable": NullTimetable()}
    return DagSpec(dag_id=DagId(dag_id), tasks=tasks, **(defaults | fields))


def a_graph(*tasks: TaskSpec) -> Graph:
    """The graph of a DAG of these tasks."""
    return graph_of(a_dag(*tasks))


def an_instance(state: TaskState = TaskState.NONE, *, task_id: str = "load", **fields: Any) -> TaskInstance:
    """An instance of `etl.load`; one that runs is at its first try and holds TOKEN."""
    defaults: dict[str, Any] = {"key": InstanceKey(1), "run": RunKey(1), "dag_id": DagId("etl")}
    if state in (TaskState.QUEUED, TaskState.RUNNING, TaskState.DEFERRED):
        defaults["try_number"] = 1
    if state is TaskState.RUNNING:
        defaults |= {"token": TOKEN, "worker": "worker1", "lease_until": NOW + LEASE}
    return TaskInstance(task_id=TaskId(task_id), state=state, **(defaults | fields))


def a_run(**fields: Any) -> DagRun:
    """A queued run of `etl`."""
    defaults: dict[str, Any] = {
        "key": RunKey(1),
        "dag_id": DagId("etl"),
        "run_id": RunId("manual__1"),
        "dag_version": 1,
        "bundle": BundleHash("c" * 64),
        "run_after": NOW,
    }
    return DagRun(**(defaults | fields))


def a_candidate(key: int, *, dag: str = "etl", task: str = "load", run: int = 1, **fields: Any) -> Candidate:
    """A scheduled instance that asks for one slot of the default pool; equals go by their key."""
    defaults: dict[str, Any] = {
        "queue": "default",
        "pool": DEFAULT_POOL,
        "pool_slots": 1,
        "priority": 1,
        "scheduled_at": NOW,
        "max_active_tasks": 1000,
    }
    return Candidate(
        key=InstanceKey(key), run=RunKey(run), dag_id=DagId(dag), task_id=TaskId(task), **(defaults | fields)
    )


def an_assignment(**fields: Any) -> Assignment:
    """The first try of `etl.load`, a bash task."""
    defaults: dict[str, Any] = {
        "instance": InstanceKey(1),
        "dag_id": DagId("etl"),
        "run_id": RunId("manual__1"),
        "task_id": TaskId("load"),
        "try_number": 1,
        "max_tries": 0,
        "operator": "BashOperator",
        "work": BashWork(script="true"),
        "bundle": BundleHash("c" * 64),
        "run": RunContext(run_type=RunType.MANUAL, run_after=NOW),
    }
    return Assignment(**(defaults | fields))


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
documents = st.dictionaries(words, json_values, max_size=3)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
durations = st.timedeltas(timedelta(microseconds=1), timedelta(days=30))
limits = st.none() | st.integers(1, 100)

asset_specs = st.sampled_from("abc").map(lambda name: AssetSpec(name=name, uri=f"s3://{name}", extra={"rows": 3}))
alias_specs = st.sampled_from("xy").map(lambda name: AliasSpec(name=name))
conditions: st.SearchStrategy[AssetCondition] = st.recursive(
    asset_specs | alias_specs,
    lambda inner: st.builds(AnyOf, st.tuples(inner, inner)) | st.builds(AllOf, st.tuples(inner, inner)),
    max_leaves=4,
)
works: st.SearchStrategy[Work] = st.one_of(
    st.just(NoWork()),
    st.builds(PythonWork, file=words, callable=words),
    st.builds(
        BashWork,
        script=words,
        env=st.none() | st.dictionaries(words, words, max_size=2),
        append_env=st.booleans(),
        cwd=st.none() | words,
        skip_exit_codes=st.lists(st.integers(0, 255), max_size=3).map(tuple),
        push_last_line=st.booleans(),
    ),
)
retry_policies = st.builds(
    RetryPolicy, retries=st.integers(0, 5), delay=durations, exponential_backoff=st.booleans(), max_delay=st.none()
)
task_specs = st.builds(
    TaskSpec,
    task_id=words.map(TaskId),
    operator=words,
    work=works,
    upstream=st.lists(words.map(TaskId), max_size=3).map(tuple),
    trigger_rule=st.sampled_from(TriggerRule),
    retry=retry_policies,
    execution_timeout=st.none() | durations,
    pool=words,
    pool_slots=st.integers(1, 9),
    priority=st.integers(-5, 5),
    queue=words,
    depends_on_past=st.booleans(),
    max_active_tis_per_dag=limits,
    max_active_tis_per_dagrun=limits,
    on_lost=st.sampled_from(OnLost),
    start_method=st.sampled_from(StartMethod),
    role=st.sampled_from(TaskRole),
    on_failure_fail_dagrun=st.booleans(),
    outlets=st.just(()) | st.tuples(asset_specs),
    inlets=st.just(()) | st.tuples(alias_specs),
    start_date=st.none() | moments,
    end_date=st.none() | moments,
    presentation=documents,
)
timetables = st.sampled_from(
    [
        NullTimetable(),
        OnceTimetable(),
        CronTriggerTimetable("0 6 * * *", "Europe/Zurich"),
        DeltaTriggerTimetable(timedelta(hours=1)),
    ]
)
dag_specs = st.builds(
    DagSpec,
    dag_id=words.map(DagId),
    file=words,
    timetable=timetables,
    assets=st.none() | conditions,
    tasks=st.lists(task_specs, max_size=3).map(tuple),
    start_date=st.none() | moments,
    end_date=st.none() | moments,
    catchup=st.booleans(),
    max_active_runs=st.integers(1, 99),
    max_active_tasks=st.integers(1, 99),
    dagrun_timeout=st.none() | durations,
    is_paused_upon_creation=st.none() | st.booleans(),
    params=documents,
    has_run_callbacks=st.booleans(),
    presentation=documents,
)
resumes = st.builds(
    Resume, method=words, kwargs=documents, event=json_values, failure=st.none() | words, is_timeout=st.booleans()
)
assignments = st.builds(
    Assignment,
    resume=st.none() | resumes,
    instance=st.integers(1, 2**62).map(InstanceKey),
    dag_id=words.map(DagId),
    run_id=words.map(RunId),
    task_id=words.map(TaskId),
    map_index=st.integers(-1, 1000),
    try_number=st.integers(1, 99),
    max_tries=st.integers(0, 99),
    queue=words,
    operator=words,
    work=works,
    bundle=words.map(BundleHash),
    execution_timeout=st.none() | durations,
    start_method=st.sampled_from(StartMethod),
    run=st.builds(
        RunContext,
        run_type=st.sampled_from(RunType),
        run_after=moments,
        logical_date=st.none() | moments,
        data_interval_start=st.none() | moments,
        data_interval_end=st.none() | moments,
        start_date=st.none() | moments,
        conf=documents,
        params=documents,
    ),
)


@st.composite
def graphs(
    draw: st.DrawFn, *, max_tasks: int = 15, rules: Iterable[TriggerRule] = TriggerRule, may_lack_work: bool = True
) -> Graph:
    """Random graphs of up to `max_tasks` tasks, declared in random order; about one in five has no work."""
    rule = st.sampled_from(list(rules))
    tasks: list[TaskSpec] = []
    for number in range(draw(st.integers(1, max_tasks))):
        above = (
            st.lists(st.sampled_from(tasks), max_size=4, unique_by=lambda task: task.task_id) if tasks else st.just([])
        )
        task = a_task(f"t{number}", after=[one.task_id for one in draw(above)], trigger_rule=draw(rule))
        lacks_work = may_lack_work and draw(st.integers(0, 4)) == 0
        tasks.append(replace(task, work=NoWork()) if lacks_work else task)
    return a_graph(*draw(st.permutations(tasks)))
