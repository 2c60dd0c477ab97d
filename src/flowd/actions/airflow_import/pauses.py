"""Which DAGs are paused."""

from flowd.actions.airflow_import.report import Fate, Part, Report
from flowd.actions.airflow_import.values import OnStep
from flowd.actions.airflow_import.wish import Wish
from flowd.db import pausing
from flowd.db.airflow_source import stored_history
from flowd.db.airflow_source.source import AirflowSource
from flowd.db.metastore import Metastore
from flowd.domain.ids import DagId

UNKNOWN = "flowd does not know this DAG: let a scheduler parse its file, then import again"
GOES_ON = "it goes on in Airflow and is paused here: --unpause lets it go on, once Airflow's scheduler is stopped"
RUNS_HERE = "it is paused in Airflow and goes on here: --overwrite pauses it"


async def take_pauses(source: AirflowSource, metastore: Metastore, wish: Wish, report: Report, step: OnStep) -> None:
    """Pause and unpause the DAGs that flowd knows as Airflow has them, as far as the wish goes."""
    async for batch in stored_history.pauses(source):
        wanted = {DagId(dag_id): paused for dag_id, paused in batch}
        async with metastore.reading() as tx:
            there = await pausing.states(tx, wanted)
        chosen: list[DagId] = []
        for dag_id, paused in wanted.items():
            fate, reason = _fate(there.get(dag_id), paused, wish)
            report.add(Part.PAUSES, fate, dag_id, reason)
            if fate.is_written:
                chosen.append(dag_id)
        if chosen and not wish.is_dry_run:
            async with metastore.transaction() as tx:
                for dag_id in sorted(chosen):
                    await pausing.set_paused(tx, dag_id, wanted[dag_id])
                    tx.tell(f"DAG {dag_id}", {"is_paused": there[dag_id]}, {"is_paused": wanted[dag_id]})
        step(Part.PAUSES, len(batch))


def _fate(here: bool | None, paused: bool, wish: Wish) -> tuple[Fate, str]:
    if here is None:
        return Fate.SKIPPED, UNKNOWN
    if here == paused:
        return Fate.SAME, ""
    if paused:
        return (Fate.CHANGED, "paused") if wish.overwrite else (Fate.KEPT, RUNS_HERE)
    return (Fate.CHANGED, "unpaused") if wish.unpause else (Fate.KEPT, GOES_ON)
