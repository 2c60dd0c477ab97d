"""RunTrigger: runs of other DAGs that a task asks for: once for each wish, however often the task has to run."""

from datetime import datetime

from flowd.actions.backends import Backends
from flowd.actions.clear_tasks import clear_run
from flowd.actions.trigger_run import trigger_run
from flowd.child.frames import Frame
from flowd.db import external
from flowd.db.external import RunChoice
from flowd.db.ledger.lineage import first_of_lineage
from flowd.domain.assignment import Assignment
from flowd.domain.errors import Conflict, NotFound
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import RunType, TriggeredBy


class RunTrigger:
    """Serves one try."""

    def __init__(self, backends: Backends, assignment: Assignment) -> None:
        self._backends = backends
        self._assignment = assignment

    async def trigger(self, request: Frame) -> Frame:
        """Make the run and answer its id; `outcome` is triggered, reset, exists, paused or unknown (with a reason).

        The wish of one number, by a try or by the one that takes its place where it broke off, makes one run.
        """
        dag_id = DagId(request["dag_id"])
        if request.get("fail_when_paused"):
            async with self._backends.metastore.reading() as tx:
                found = await external.find_dag(tx, dag_id)
            if found is not None and found.is_paused:
                return {"outcome": "paused"}
        run_id, logical_date = request.get("run_id"), _moment(request.get("logical_date"))
        try:
            run = await trigger_run(
                self._backends,
                dag_id=dag_id,
                triggered_by=TriggeredBy.OPERATOR,
                run_type=RunType.OPERATOR_TRIGGERED,
                run_id=None if run_id is None else RunId(run_id),
                logical_date=logical_date,
                run_after=_moment(request.get("run_after")),
                conf=request.get("conf"),
                note=request.get("note"),
                idempotency_key=await self._key(int(request["number"])),
            )
        except NotFound as error:
            return {"outcome": "unknown", "reason": str(error)}
        except Conflict as error:
            existing = await self._existing(dag_id, run_id, logical_date)
            if existing is None or not request.get("reset"):
                return {"outcome": "exists", "reason": str(error)}
            await clear_run(self._backends, dag_id, existing)
            return {"outcome": "reset", "run_id": existing}
        return {"outcome": "triggered", "run_id": run.run_id}

    async def _key(self, number: int) -> str:
        assignment = self._assignment
        async with self._backends.metastore.reading() as tx:
            first = await first_of_lineage(tx, assignment.instance, assignment.try_number)
        return f"flowd:task:{assignment.instance}:{first}:{number}"

    async def _existing(self, dag_id: DagId, run_id: str | None, logical_date: datetime | None) -> RunId | None:
        choices = [RunChoice(dag_id=dag_id, run_ids=[run_id])] if run_id is not None else []
        if logical_date is not None:
            choices.append(RunChoice(dag_id=dag_id, logical_dates=[logical_date]))
        async with self._backends.metastore.reading() as tx:
            for choice in choices:
                for found in await external.run_states(tx, choice):
                    return RunId(found)
        return None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
