"""Questions to people (human in the loop): what each try of a task has asked, and what was answered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from flowd.db.ledger.read import as_json
from flowd.db.moments import from_db, to_db
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.ids import ClaimToken, InstanceKey

_COLUMNS = {
    "instance": "int",
    "try_number": "int",
    "subject": "text",
    "body": "text",
    "request": "text",
    "created_at": "int",
    "is_answered": "bool",
    "answer": "text",
    "responded_at": "int",
    "responded_by": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. `params` are the form's fields: value, description and JSON schema of each.

    `assigned_users` may answer (their id and name); where there is none, everybody may who may start runs.
    """

    subject: str
    body: str | None = None
    options: Sequence[str]
    defaults: Sequence[str] | None = None
    multiple: bool = False
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assigned_users: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was chosen and filled in; `responded_by` is None where the time was over and the defaults stand."""

    chosen_options: Sequence[str]
    params_input: Mapping[str, Any]
    responded_at: datetime
    responded_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of one try, and its answer once there is one."""

    instance: InstanceKey
    try_number: int
    question: Question
    created_at: datetime
    answer: Answer | None = None


async def ask(tx: Transaction, instance: InstanceKey, try_number: int, question: Question, now: datetime) -> None:
    """Store the question of a try, in the place of one that it has asked before."""
    row = {
        "instance": instance,
        "try_number": try_number,
        "subject": question.subject,
        "body": question.body,
        "request": json.dumps(
            {
                "options": list(question.options),
                "defaults": None if question.defaults is None else list(question.defaults),
                "multiple": question.multiple,
                "params": {name: dict(param) for name, param in question.params.items()},
                "assigned_users": [dict(one) for one in question.assigned_users],
            }
        ),
        "created_at": to_db(now),
        "is_answered": False,
        "answer": None,
        "responded_at": None,
        "responded_by": None,
    }
    for statement in tx.dialect.replace("hitl_detail", _COLUMNS, keys=("instance", "try_number")):
        await tx.execute(statement, {"rows": as_json([row])})


async def answer(tx: Transaction, instance: InstanceKey, try_number: int, given: Answer) -> None:
    """Store the answer to the question of a try."""
    await tx.execute(
        "UPDATE hitl_detail SET is_answered = :yes, answer = :answer, responded_at = :at, responded_by = :by"
        " WHERE instance = :instance AND try_number = :try_number",
        {
            "yes": True,
            "answer": json.dumps(
                {"chosen_options": list(given.chosen_options), "params_input": dict(given.params_input)}
            ),
            "at": to_db(given.responded_at),
            "by": given.responded_by,
            "instance": instance,
            "try_number": try_number,
        },
    )


async def find(tx: Transaction, instance: InstanceKey, try_number: int) -> Asked | None:
    """Return what this try has asked; None where it has asked nothing."""
    row = (
        (
            await tx.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM hitl_detail"
                " WHERE instance = :instance AND try_number = :try_number",
                {"instance": instance, "try_number": try_number},
            )
        )
        .mappings()
        .first()
    )
    return None if row is None else asked_of(row)


async def waiting_token(tx: Transaction, instance: InstanceKey) -> ClaimToken | None:
    """Return the token under which this instance was deferred last; None where it never was."""
    row = (await tx.execute("SELECT token FROM deferral WHERE instance = :key", {"key": instance})).first()
    return None if row is None else ClaimToken(row[0])


def asked_of(row: Row | RowMapping) -> Asked:
    """Return the question in this row of `hitl_detail`."""
    request, given = json.loads(row["request"]), None
    if row["answer"] is not None:
        given = Answer(
            **json.loads(row["answer"]),
            responded_at=from_db(row["responded_at"]),
            responded_by=row["responded_by"],
        )
    return Asked(
        instance=InstanceKey(row["instance"]),
        try_number=row["try_number"],
        question=Question(subject=row["subject"], body=row["body"], **request),
        created_at=from_db(row["created_at"]),
        answer=given,
    )
