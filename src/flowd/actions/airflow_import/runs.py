"""Runs that have ended, with their task instances, as history: nothing of them runs here."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from flowd.actions.airflow_import.pauses import UNKNOWN
from flowd.actions.airflow_import.report import Fate, Part, Report
from flowd.actions.airflow_import.values import OnStep
from flowd.actions.airflow_import.wish import Wish
from flowd.db import schedules
from flowd.db.airflow_source import stored_history
from flowd.db.airflow_source.source import AirflowSource
from flowd.db.airflow_source.stored_history import RunName
from flowd.db.graphs import Graphs
from flowd.db.latest import Pin, pins
from flowd.db.ledger import imported
from flowd.db.ledger.create import NewRun
from flowd.db.ledger.imported import EndedInstance, EndedRun, KnownRun
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.airflow_run import AirflowInstance, AirflowRun
from flowd.domain.data_interval import DataInterval
from flowd.domain.ids import DagId, RunId, TaskId
from flowd.domain.states import RunState, RunType
from flowd.domain.timetable import next_run, runs_from

MOST_INSTANCES = 2_000
"""So many task instances are in memory, and in one transaction, at a time; or those of one run, if it has more."""

LIVES = "it has not ended in Airflow: import again when it has"
TOO_OLD = "it ended before --since"
OTHER_DATE = "flowd has another run of this logical date"
LIVES_HERE = "flowd has this run, and it has not ended here"
ENDED_OTHERWISE = "it ended otherwise here; delete it (`flowd runs delete`) and import again to have Airflow's"
NO_CONF = "without its conf, which is not JSON"
NOT_ENDED = "as skipped: it had not ended when its run did"


class RunImporter:
    """Takes the runs of one Airflow installation."""

    def __init__(self, source: AirflowSource, metastore: Metastore, wish: Wish, report: Report) -> None:
        self._source = source
        self._metastore = metastore
        self._wish = wish
        self._report = report
        self._graphs = Graphs()

    async def take(self, step: OnStep) -> None:
        """Take all that have ended and are not here yet, and let each DAG's schedule go on behind them."""
        async for batch in stored_history.runs(self._source):
            wanted = await self._missing([run for run in batch if self._is_wished(run)])
            names = [(run.dag_id, run.run_id) for run, _ in wanted]
            counts = await stored_history.instance_counts(self._source, names) if names else {}
            for portion in portions(wanted, counts):
                await self._take_portion(portion)
            step(Part.RUNS, len(batch))

    def _is_wished(self, run: AirflowRun) -> bool:
        since, moment = self._wish.since, run.moment
        if not run.has_ended:
            reason = LIVES
        elif run.problem is not None:
            reason = run.problem
        elif since is not None and moment is not None and moment < since:
            reason = TOO_OLD
        else:
            return True
        self._report.add(Part.RUNS, Fate.SKIPPED, run.dag_id, reason)
        return False

    async def _missing(self, runs: Sequence[AirflowRun]) -> list[tuple[AirflowRun, Pin]]:
        """Return those that flowd has not and can have, each with the version that it is to be of."""
        if not runs:
            return []
        dag_ids = {DagId(run.dag_id) for run in runs}
        async with self._metastore.reading() as tx:
            pinned = await pins(tx, dag_ids)
            known = await imported.known_runs(tx, dag_ids, {RunId(run.run_id) for run in runs})
            dates = {run.logical_date for run in runs if run.logical_date is not None}
            taken = await imported.taken_dates(tx, dag_ids, dates)
        missing: list[tuple[AirflowRun, Pin]] = []
        for run in runs:
            dag_id = DagId(run.dag_id)
            here = known.get((dag_id, RunId(run.run_id)))
            if here is not None:
                fate, reason = _compared(here, run)
            elif dag_id not in pinned:
                fate, reason = Fate.SKIPPED, UNKNOWN
            elif run.logical_date is not None and (dag_id, run.logical_date) in taken:
                fate, reason = Fate.SKIPPED, OTHER_DATE
            else:
                missing.append((run, pinned[dag_id]))
                fate, reason = Fate.NEW, "" if run.conf is not None else NO_CONF
            self._report.add(Part.RUNS, fate, dag_id, reason)
        return missing

    async def _take_portion(self, portion: Sequence[tuple[AirflowRun, Pin]]) -> None:
        names = [(run.dag_id, run.run_id) for run, _ in portion]
        under: dict[RunName, list[AirflowInstance]] = defaultdict(list)
        for one in await stored_history.instances(self._source, names):
            under[one.dag_id, one.run_id].append(one)
            self._report.add(Part.TASKS, Fate.NEW, one.dag_id, "" if one.has_ended else NOT_ENDED)
        if self._wish.is_dry_run:
            return
        ended = [ended_run(run, pin, under[run.dag_id, run.run_id]) for run, pin in portion]

        async def attempt() -> None:
            async with self._metastore.transaction() as tx:
                await imported.keep(tx, ended)
                await self._go_on_behind(tx, ended)

        await self._metastore.retrying(attempt)

    async def _go_on_behind(self, tx: Transaction, ended: Sequence[EndedRun]) -> None:
        """Let no schedule make a run again for what Airflow has run: each goes on behind the last of these."""
        last: dict[DagId, DataInterval] = {}
        for run in ended:
            interval = run.new.data_interval
            if run.new.run_type is RunType.SCHEDULED and interval is not None:
                before = last.get(run.new.dag_id)
                last[run.new.dag_id] = interval if before is None or before.start < interval.start else before
        held = await schedules.held(tx, last)
        graphs = await self._graphs.get(tx, {one.version for one in held})
        now = await tx.now()
        for one in held:
            interval, dag = last[one.dag_id], graphs[one.version].dag
            if one.last_interval is not None and one.last_interval.start >= interval.start:
                continue
            planned = next_run(
                dag.timetable,
                interval,
                start_date=runs_from(dag.timetable, dag.start_date, one.first_seen_at),
                end_date=dag.end_date,
                catchup=dag.catchup,
                now=now,
            )
            await schedules.advance(tx, one.dag_id, interval, planned)


def _compared(here: KnownRun, run: AirflowRun) -> tuple[Fate, str]:
    if here == KnownRun(RunState(run.state), run.moment):
        return Fate.SAME, ""
    return Fate.KEPT, ENDED_OTHERWISE if here.state.is_finished else LIVES_HERE


def portions(
    runs: Sequence[tuple[AirflowRun, Pin]], counts: Mapping[RunName, int]
) -> Iterator[Sequence[tuple[AirflowRun, Pin]]]:
    """Yield the runs in their order, so many at a time that they have no more than MOST_INSTANCES, or one."""
    portion: list[tuple[AirflowRun, Pin]] = []
    total = 0
    for run, pin in runs:
        count = counts.get((run.dag_id, run.run_id), 0)
        if portion and total + count > MOST_INSTANCES:
            yield portion
            portion, total = [], 0
        portion.append((run, pin))
        total += count
    if portion:
        yield portion


def ended_run(run: AirflowRun, pin: Pin, instances: Sequence[AirflowInstance]) -> EndedRun:
    """Return the run as flowd's ledger takes it."""
    ended_at, due_at = run.moment, run.due_at
    assert ended_at is not None and due_at is not None, "a run without any date has a problem"
    return EndedRun(
        new=NewRun(
            dag_id=DagId(run.dag_id),
            run_id=RunId(run.run_id),
            dag_version=pin.version,
            bundle=pin.bundle,
            run_type=run.flowd_type,
            triggered_by=run.door,
            run_after=due_at,
            logical_date=run.logical_date,
            data_interval=run.interval,
            partition_key=run.partition_key,
            conf=run.conf or {},
            note=run.note,
            triggering_user=run.triggering_user,
        ),
        state=RunState(run.state),
        queued_at=run.queued_at or run.started_at or ended_at,
        started_at=run.started_at or ended_at,
        ended_at=ended_at,
        instances=[
            EndedInstance(
                task_id=TaskId(one.task_id),
                map_index=one.map_index,
                event=one.event,
                ended_at=one.end(ended_at),
                operator=one.operator,
                pool=one.pool,
                queue=one.queue,
                priority=one.priority,
                pool_slots=one.pool_slots,
                rendered_map_index=one.rendered_map_index,
                note=one.note,
            )
            for one in instances
        ],
    )
