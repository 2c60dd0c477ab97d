"""LookUps: what any child process may ask the node that started it: XComs, variables, connections, earlier runs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from flowd.child.frames import Frame
from flowd.db import asset_events, external, xcoms
from flowd.db.external import RunChoice
from flowd.db.ledger import history
from flowd.db.metastore import Metastore
from flowd.db.secrets_store import Connections, Variables
from flowd.domain.errors import NotFound
from flowd.domain.ids import DagId, InstanceKey, RunId
from flowd.roles.mapped_results import MappedResults
from flowd.roles.returned_items import ReturnedItems
from flowd.secret_backends.lookup import SecretLookup, metastore_alone

Operation = Callable[[Frame], Awaitable[Frame]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Where a child's questions are answered from."""

    metastore: Metastore
    variables: Variables
    connections: Connections
    secrets: SecretLookup = field(default_factory=metastore_alone)
    items: ReturnedItems = field(default_factory=ReturnedItems)
    results: MappedResults = field(default_factory=MappedResults)


class LookUps:
    """Answers questions asked from within one run, by a task instance or for the run; nothing is written."""

    def __init__(self, library: Library, dag_id: DagId, run_id: RunId, asked_by: InstanceKey | None = None) -> None:
        self._library = library
        self._dag_id = dag_id
        self._run_id = run_id
        self._asked_by = asked_by

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What can be asked, by name."""
        return {
            "xcom_pull": self._xcom_pull,
            "xcom_length": self._xcom_length,
            "xcom_items": self._xcom_items,
            "variable_get": self._variable_get,
            "connection_get": self._connection_get,
            "context": self._context,
            "triggering_asset_events": self._triggering_asset_events,
            "asset_events": self._asset_events,
            "dag": self._dag,
            "run_states": self._run_states,
            "task_states": self._task_states,
        }

    async def answer(self, _attempt: int, request: Frame) -> Frame:
        """Return the fields of the reply; what is raised becomes the error that the child sees."""
        operation = self.operations.get(request.get("op", ""))
        if operation is None:
            raise NotFound(f"{request.get('op')!r} is not answered here")
        return await operation(request)

    async def _xcom_pull(self, request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            found = await xcoms.pull(
                tx,
                dag_id=DagId(request.get("dag_id") or self._dag_id),
                run_id=RunId(request.get("run_id") or self._run_id),
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

    async def _xcom_length(self, request: Frame) -> Frame:
        named = self._value_of_task(request)
        async with self._library.metastore.reading() as tx:
            if request["is_mapped"]:
                return {"length": await self._library.results.length(tx, **named, asked_by=self._asked_by)}
            return {"length": await xcoms.length(tx, **named)}

    async def _xcom_items(self, request: Frame) -> Frame:
        page = {**self._value_of_task(request), "start": int(request["start"]), "count": int(request["count"])}
        async with self._library.metastore.reading() as tx:
            if request["is_mapped"]:
                values = await self._library.results.page(tx, **page, asked_by=self._asked_by)
                return {"items": values, "is_dict": False, "reference": None}
            found = await self._library.items.page(tx, **page)
        return {"items": found.values, "is_dict": found.is_dict, "reference": found.reference}

    def _value_of_task(self, request: Frame) -> dict[str, Any]:
        return {
            "dag_id": self._dag_id,
            "run_id": self._run_id,
            "task_id": request["task_id"],
            "name": request["key"],
        }

    async def _variable_get(self, request: Frame) -> Frame:
        key, has_own = request["key"], bool(request.get("is_in_environment"))
        if (found := await self._library.secrets.variable(key, is_in_environment=has_own)) is not None:
            return {"found": True, "value": found.text, "is_secret": found.is_secret}
        try:
            value = None if has_own else (await self._library.variables.get(key)).value
        except NotFound:
            value = None
        return {"found": value is not None, "value": value, "is_secret": False}

    async def _connection_get(self, request: Frame) -> Frame:
        conn_id, has_own = request["conn_id"], bool(request.get("is_in_environment"))
        if (found := await self._library.secrets.connection(conn_id, is_in_environment=has_own)) is not None:
            return {"found": True, "text": found.text, "connection": None}
        try:
            stored = None if has_own else asdict(await self._library.connections.get(conn_id))
        except NotFound:
            stored = None
        return {"found": stored is not None, "text": None, "connection": stored}

    async def _context(self, _request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            return dict(await history.previous_success(tx, self._dag_id, self._run_id))

    async def _triggering_asset_events(self, _request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            return {"events": _told(await asset_events.of_run(tx, self._dag_id, self._run_id))}

    async def _asset_events(self, request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            found = await asset_events.find(tx, asset_events.FoundBy(request["by"]), request["value"])
        return {"events": _told(found)}

    async def _dag(self, request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            found = await external.find_dag(tx, DagId(request["dag_id"]))
        return {"dag": None if found is None else asdict(found)}

    async def _run_states(self, request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            return {"states": await external.run_states(tx, _choice(request))}

    async def _task_states(self, request: Frame) -> Frame:
        task_ids, group_id = request.get("task_ids"), request.get("task_group_id")
        async with self._library.metastore.reading() as tx:
            if group_id is not None:
                dag = await external.find_dag(tx, DagId(request["dag_id"]))
                task_ids = [*(task_ids or ()), *(dag.groups.get(group_id, ()) if dag else ())]
            found = await external.task_states(
                tx, _choice(request), task_ids=task_ids, map_index=request.get("map_index")
            )
        return {"tasks": [asdict(one) for one in found]}


def _choice(request: Frame) -> RunChoice:
    dates = request.get("logical_dates")
    return RunChoice(
        dag_id=DagId(request["dag_id"]),
        run_ids=request.get("run_ids"),
        logical_dates=None if dates is None else [datetime.fromisoformat(date) for date in dates],
    )


def _told(events: Sequence[asset_events.StoredEvent]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "uri": one.uri,
            "group": one.group,
            "extra": dict(one.extra),
            "timestamp": one.at.isoformat(),
            "source_dag_id": one.source_dag_id,
            "source_task_id": one.source_task_id,
            "source_run_id": one.source_run_id,
            "source_map_index": one.source_map_index,
            "partition_key": one.partition_key,
        }
        for one in events
    ]
