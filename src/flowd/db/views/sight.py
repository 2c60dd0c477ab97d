"""Sight: which DAGs the actor of a transaction may see. Every list that has to do with DAGs is narrowed here.

Whoever is restricted is not told of what they may not see: it is as if it were not there.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, true

from flowd.db.tables import dag, dag_reader
from flowd.db.transaction import Transaction


def is_seen(tx: Transaction, dag_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that the actor may see the DAG of a row; a row that is of no DAG is seen by all."""
    hidden = _hidden(tx)
    return true() if hidden is None else or_(dag_id.is_(None), dag_id.not_in(hidden))


async def hidden_dags(tx: Transaction) -> frozenset[str]:
    """Return the DAGs that the actor may not see, for lists that are made in memory."""
    hidden = _hidden(tx)
    return frozenset() if hidden is None else frozenset((await tx.execute(hidden)).scalars())


def _hidden(tx: Transaction) -> Select[str] | None:
    if tx.actor is None or tx.actor.dag_names is None:
        return None
    letting_in = select(dag_reader.c.dag_id).where(dag_reader.c.name.in_(sorted(tx.actor.dag_names)))
    return select(dag.c.dag_id).where(dag.c.is_restricted, dag.c.dag_id.not_in(letting_in))
