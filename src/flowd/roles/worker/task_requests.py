"""TaskRequests: what a running task may ask of its worker: all look-ups, and writes under its token."""

from collections.abc import Mapping
from datetime import timedelta

from flowd.actions.backends import Backends
from flowd.child.frames import Frame
from flowd.db import assets, hitl, rendered, state_store, xcoms
from flowd.db.ledger import lease, map_names
from flowd.db.secrets_store import StoredVariable
from flowd.db.storable import storable
from flowd.db.transaction import Transaction
from flowd.domain.errors import NotFound, StaleClaim
from flowd.queue.base import Claimed
from flowd.roles.look_ups import Library, LookUps, Operation
from flowd.roles.worker.run_trigger import RunTrigger


class TaskRequests(LookUps):
    """Serves one try. What it writes is guarded by the try's token: a fenced task changes nothing."""

    def __init__(self, library: Library, backends: Backends, claimed: Claimed) -> None:
        assignment = claimed.assignment
        super().__init__(library, assignment.dag_id, assignment.run_id, assignment.instance)
        self._claimed = claimed
        self._run_trigger = RunTrigger(backends, assignment)

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What can be asked, by name."""
        return {
            **super().operations,
            "xcom_push": self._xcom_push,
            "variable_set": self._variable_set,
            "variable_delete": self._variable_delete,
            "rendered": self._rendered,
            "trigger_dag_run": self._trigger_dag_run,
            "hitl_ask": self._hitl_ask,
            "hitl_timed_out": self._hitl_timed_out,
            "task_state_get": self._task_state_get,
            "task_state_set": self._task_state_set,
            "task_state_delete": self._task_state_delete,
            "asset_state_get": self._asset_state_get,
            "asset_state_set": self._asset_state_set,
            "asset_state_delete": self._asset_state_delete,
        }

    async def _xcom_push(self, request: Frame) -> Frame:
        instance = self._claimed.assignment.instance
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            await xcoms.push(tx, [(instance, request["key"], request["value"])], await tx.now())
        return {}

    async def _variable_set(self, request: Frame) -> Frame:
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
        description = request.get("description") or ""
        await self._library.variables.set(
            StoredVariable(name=request["key"], value=request["value"], description=description)
        )
        return {}

    async def _variable_delete(self, request: Frame) -> Frame:
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
        try:
            await self._library.variables.delete(request["key"])
        except NotFound:
            return {"found": False}
        return {"found": True}

    async def _rendered(self, request: Frame) -> Frame:
        assignment = self._claimed.assignment
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            if request["fields"]:
                await rendered.store(tx, assignment.instance, assignment.try_number, request["fields"])
            if request["rendered_map_index"] is not None:
                await map_names.keep(tx, {assignment.instance: storable(request["rendered_map_index"])})
        return {}

    async def _trigger_dag_run(self, request: Frame) -> Frame:
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
        return await self._run_trigger.trigger(request)

    async def _hitl_ask(self, request: Frame) -> Frame:
        assignment = self._claimed.assignment
        question = hitl.Question(**{name: value for name, value in request.items() if name not in ("op", "n")})
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            await hitl.ask(tx, assignment.instance, assignment.try_number, question, await tx.now())
        return {}

    async def _hitl_timed_out(self, request: Frame) -> Frame:
        assignment = self._claimed.assignment
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            given = hitl.Answer(
                chosen_options=request["chosen_options"],
                params_input=request["params_input"],
                responded_at=await tx.now(),
            )
            await hitl.answer(tx, assignment.instance, assignment.try_number, given)
        return {}

    async def _task_state_get(self, request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            found = await state_store.get_of_task(tx, self._claimed.assignment.instance, request["key"])
        return _told(found)

    async def _task_state_set(self, request: Frame) -> Frame:
        lasts = request.get("retention")
        retention = None if lasts is None else timedelta(seconds=lasts)
        instance = self._claimed.assignment.instance
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            await state_store.set_of_task(tx, instance, request["key"], request["value"], await tx.now(), retention)
        return {}

    async def _task_state_delete(self, request: Frame) -> Frame:
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            await state_store.delete_of_task(tx, self._claimed.assignment.instance, request["key"])
        return {}

    async def _asset_state_get(self, request: Frame) -> Frame:
        async with self._library.metastore.reading() as tx:
            asset = await assets.id_of(tx, request["asset"])
            return _told(await state_store.get_of_asset(tx, asset, request["key"]))

    async def _asset_state_set(self, request: Frame) -> Frame:
        writer = self._claimed.assignment.instance
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            asset = await assets.id_of(tx, request["asset"])
            await state_store.set_of_asset(tx, asset, request["key"], request["value"], await tx.now(), writer)
        return {}

    async def _asset_state_delete(self, request: Frame) -> Frame:
        async with self._library.metastore.transaction(is_brief=True) as tx:
            await self._require_standing(tx)
            await state_store.delete_of_asset(tx, await assets.id_of(tx, request["asset"]), request["key"])
        return {}

    async def _require_standing(self, tx: Transaction) -> None:
        if not await lease.standing(tx, self._claimed.assignment.instance, self._claimed.token):
            raise StaleClaim(f"{self._claimed.assignment.label} is fenced: what it writes no longer counts")


def _told(found: state_store.Found | None) -> Frame:
    return {"found": False, "value": None} if found is None else {"found": True, "value": found.value}
