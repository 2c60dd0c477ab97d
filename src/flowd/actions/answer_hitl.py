"""answer_hitl: a person answers what a task has asked, and the task goes on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flowd.actions.backends import Backends
from flowd.actions.params import problems_with
from flowd.db import hitl, triggers
from flowd.db.hitl import Answer, Question
from flowd.db.ledger import read
from flowd.db.transaction import Transaction
from flowd.db.triggers import News
from flowd.domain.errors import Conflict, InvalidInput, NotFound, Unauthorised
from flowd.domain.ids import DagId, InstanceKey, RunId, RunKey, TaskId


async def answer_hitl(
    backends: Backends,
    *,
    dag_id: DagId,
    run_id: RunId,
    task_id: TaskId,
    map_index: int,
    chosen_options: Sequence[str],
    params_input: Mapping[str, Any],
    user: str,
) -> Answer:
    """Store the answer, let the task go on with it, and return it.

    Raises NotFound for an unknown instance or one that has asked nothing, InvalidInput for an answer that the question
    does not allow, Unauthorised where others are to answer, and Conflict where it is answered already or the task does
    not wait any more, or not yet.
    """

    async def attempt() -> tuple[RunKey, Answer]:
        async with backends.metastore.transaction() as tx:
            key = await _find(tx, dag_id, run_id, task_id, map_index)
            # The instance is locked before its question: a clear, and another answer, come before or after this one.
            held, now = await read.hold(tx, [key])
            instance = held[key]
            asked = await hitl.find(tx, key, instance.try_number)
            if asked is None:
                raise NotFound(f"{instance.label} has asked nothing in its try {instance.try_number}")
            if asked.answer is not None:
                raise Conflict(f"{instance.label} has been answered already, at {asked.answer.responded_at}")
            _check(asked.question, chosen_options, params_input, user)
            given = Answer(
                chosen_options=chosen_options, params_input=params_input, responded_at=now, responded_by=user
            )
            await hitl.answer(tx, key, instance.try_number, given)
            token = await hitl.waiting_token(tx, key)
            run = None if token is None else await triggers.settle(tx, token, News(event=event_of(given)))
            if run is None:
                raise Conflict(f"{instance.label} does not wait for an answer: it is {instance.state.value}")
            return run, given

    run, given = await backends.metastore.retrying(attempt)
    await backends.queue.ring([run])
    return given


def event_of(given: Answer) -> str:
    """Return what the task is told: JSON text, for an XCom's own marks in what a person wrote must mean nothing."""
    by = given.responded_by
    return json.dumps(
        {
            "chosen_options": list(given.chosen_options),
            "params_input": dict(given.params_input),
            "responded_at": given.responded_at.isoformat(),
            "responded_by_user": None if by is None else {"id": by, "name": by},
        }
    )


async def _find(tx: Transaction, dag_id: DagId, run_id: RunId, task_id: TaskId, map_index: int) -> InstanceKey:
    row = (
        await tx.execute(
            "SELECT t.id FROM task_instance t JOIN dag_run d ON d.id = t.run"
            " WHERE d.dag_id = :dag_id AND d.run_id = :run_id AND t.task_id = :task_id AND t.map_index = :map_index",
            {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index},
        )
    ).first()
    if row is None:
        raise NotFound(
            f"The Task Instance with dag_id: `{dag_id}`, run_id: `{run_id}`, task_id: `{task_id}` and map_index: "
            f"`{map_index}` was not found"
        )
    return InstanceKey(row[0])


def _check(question: Question, chosen: Sequence[str], params_input: Mapping[str, Any], user: str) -> None:
    assigned = {value for one in question.assigned_users for value in (one.get("id"), one.get("name"))}
    if assigned and user not in assigned:
        raise Unauthorised(f"{user} is not among those who are to answer: {', '.join(sorted(filter(None, assigned)))}")
    unknown = sorted(set(chosen) - set(question.options))
    if unknown or not chosen:
        options = ", ".join(question.options)
        raise InvalidInput(f"chosen_options has {', '.join(unknown) or 'nothing'}; wanted of: {options}")
    if len(chosen) > 1 and not question.multiple:
        raise InvalidInput(f"chosen_options has {len(chosen)} options; this question takes one")
    if strange := sorted(params_input.keys() - question.params.keys()):
        wanted = ", ".join(sorted(question.params)) or "none"
        raise InvalidInput(f"params_input has {', '.join(strange)}, which is not asked for; wanted {wanted}")
    if problems := problems_with(question.params, params_input):
        raise InvalidInput(f"params_input: {'; '.join(problems)}")
