"""What will hold up a DAG's tasks: pools that they name and that there are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flowd.db.moments import from_db
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.sight import hidden_dags


class WarningType(StrEnum):
    """Airflow's kinds of warnings, of which flowd gives the second."""

    ASSET_CONFLICT = "asset conflict"
    NON_EXISTENT_POOL = "non-existent pool"
    RUNTIME_VARYING_VALUE = "runtime varying value"


@dataclass(frozen=True, slots=True, kw_only=True)
class DagWarning:
    """What is wrong with a DAG, and when its file was read."""

    dag_id: str
    dag_display_name: str
    kind: WarningType
    message: str
    at: datetime


async def list_dag_warnings(tx: Transaction, cards: DagCards) -> Sequence[DagWarning]:
    """Return the warnings of every DAG in service that may be seen, by DAG."""
    pools = {name for (name,) in await tx.execute("SELECT name FROM pool")}
    hidden = await hidden_dags(tx)
    rows = list(
        await tx.execute(
            "SELECT dag_id, version, parsed_at FROM dag WHERE is_active = :yes ORDER BY dag_id", {"yes": True}
        )
    )
    by_version = await cards.get(tx, [version for _, version, _ in rows])
    return [
        DagWarning(
            dag_id=dag_id,
            dag_display_name=by_version[version].display_name,
            kind=WarningType.NON_EXISTENT_POOL,
            message=f"Dag '{dag_id}' references non-existent pools: {missing}",
            at=from_db(parsed_at),
        )
        for dag_id, version, parsed_at in rows
        if dag_id not in hidden and (missing := sorted(by_version[version].pools - pools))
    ]
