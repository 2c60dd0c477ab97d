"""TaskRequests: answers what a running task asks its worker for: XComs, variables, connections, rendered fields."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from flowd.child.frames import Frame
from flowd.db import rendered, xcoms
from flowd.db.engine import Metastore, Transaction
from flowd.db.ledger import history, lease
from flowd.db.secrets_store import Connections, StoredVariable, Variables
from flowd.domain.errors import NotFound, StaleClaim
from flowd.domain.ids import DagId, RunId
from flowd.queue.base import Claimed

MOST_XCOM_BYTES = 16 * 1024 * 1024


class TaskRequests:
    """Serves one try. What it writes is guarded by the try's token: a fenced task changes nothing."""

    def __init__(self, metastore: Metastore, variables: Variables, connections: Connections, claimed: Claimed) -> None:
        self._metastore = metastore
        self._variables = variables
        self._connections = connections
        self._claimed = claimed
        self._operations: Mapping[str, Callable[[Frame], Awaitable[Frame]]] = {
            "xcom_push": self._xcom_push,
            "xcom_pull": self._xcom_pull,
            "variable_get": self._variable_get,
            "variable_set": self._variable_set,
            "variable_delete": self._variable_delete,
            "connection_get": self._connection_get,
            "rendered": self._rendered,
            "context": self._context,
        }

    async def answer(self, _attempt: int, request: Frame) -> Frame:
        """Return the fields of the reply; what is raised becomes the error that the task sees."""
        operation = self._operations.get(request.get("op", ""))
        if operation is None:
            raise NotFound(f"a worker has no operation {request.get('op')!r}")
        return await operation(request)

    async def _xcom_push(self, request: Frame) -> Frame:
        async with self._metastore.transaction() as tx:
            await self._require_standing(tx)
            await xcoms.push(
                tx, [(self._claimed.assignment.instance, request["key"], request["value"])], await tx.now()
            )
        return {}

    async def _xcom_pull(self, request: Frame) -> Frame:
        assignment = self._claimed.assignment
        async with self._metastore.reading() as tx:
            found = await xcoms.pull(
                tx,
                dag_id=DagId(request.get("dag_id") or assignment.dag_id),
                run_id=RunId(request.get("run_id") or assignment.run_id),
                name=request["key"],
                task_ids=request.get("task_ids"),
                map_indexes=request.get("map_indexes"),
                include_prior_dates=bool(request.get("include_prior_dates")),
            )
        return {
            "entries": [
                {"task_id": one.task_id, "map_index": one.map_index, "run_id": one.run_id, "value": one.value}
                for one in found
            ]
        }

    async def _variable_get(self, request: Frame) -> Frame:
        try:
            return {"found": True, "value": (await self._variables.get(request["key"])).value}
        except NotFound:
            return {"found": False, "value": None}

    async def _variable_set(self, request: Frame) -> Frame:
        async with self._metastore.transaction() as tx:
            await self._require_standing(tx)
        description = request.get("description") or ""
        await self._variables.set(StoredVariable(name=request["key"], value=request["value"], description=description))
        return {}

    async def _variable_delete(self, request: Frame) -> Frame:
        async with self._metastore.transaction() as tx:
            await self._require_standing(tx)
        try:
            await self._variables.delete(request["key"])
        except NotFound:
            return {"found": False}
        return {"found": True}

    async def _connection_get(self, request: Frame) -> Frame:
        try:
            return {"found": True, "connection": asdict(await self._connections.get(request["conn_id"]))}
        except NotFound:
            return {"found": False, "connection": None}

    async def _rendered(self, request: Frame) -> Frame:
        assignment = self._claimed.assignment
        async with self._metastore.transaction() as tx:
            await self._require_standing(tx)
            await rendered.store(tx, assignment.instance, assignment.try_number, request["fields"])
        return {}

    async def _context(self, _request: Frame) -> Frame:
        assignment = self._claimed.assignment
        async with self._metastore.reading() as tx:
            previous: dict[str, Any] = await history.previous_success(tx, assignment.dag_id, assignment.run_id)
        return previous

    async def _require_standing(self, tx: Transaction) -> None:
        if not await lease.standing(tx, self._claimed.assignment.instance, self._claimed.token):
            raise StaleClaim(f"{self._claimed.assignment.label} is fenced: what it writes no longer counts")
