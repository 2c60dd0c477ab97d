"""Backfills as lists and pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, func, select

from flowd.db.backfills import backfill_of
from flowd.db.tables import backfill, backfill_date, dag_run
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.domain.backfill import Backfill
from flowd.domain.errors import NotFound
from flowd.domain.ids import BackfillKey

BACKFILLS = View(
    columns=tuple(backfill.c),
    source=backfill,
    fields={
        "id": Field(backfill.c.id, FieldKind.NUMBER),
        "dag_id": Field(backfill.c.dag_id),
        "from_date": Field(backfill.c.from_date, FieldKind.MOMENT),
        "to_date": Field(backfill.c.to_date, FieldKind.MOMENT),
        "created_at": Field(backfill.c.created_at, FieldKind.MOMENT),
        "completed_at": Field(backfill.c.completed_at, FieldKind.MOMENT),
    },
    key=backfill.c.id,
    dag=backfill.c.dag_id,
    order_by=(Order("id"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillView:
    """A backfill with what its DAG is called on pages."""

    backfill: Backfill
    dag_display_name: str


async def list_backfills(tx: Transaction, cards: DagCards, listing: Listing) -> tuple[list[BackfillView], int]:
    """Return a page of backfills and how many there are."""
    return await _views(tx, cards, await page(tx, BACKFILLS, listing)), await count(tx, BACKFILLS, listing)


async def get_backfill(tx: Transaction, cards: DagCards, key: BackfillKey) -> BackfillView:
    """Return the backfill; raise NotFound for an unknown one."""
    rows = await page(tx, BACKFILLS, Listing(conditions=(OneOf("id", (key,)),)))
    if not rows:
        raise NotFound("Backfill not found")
    return (await _views(tx, cards, rows))[0]


async def counts_of(tx: Transaction, key: BackfillKey) -> dict[str, int]:
    """Return how many dates of the backfill have a run in each state, and how many none for each reason."""
    states = (
        select(dag_run.c.state, func.count())
        .select_from(backfill_date.join(dag_run, dag_run.c.id == backfill_date.c.run))
        .where(backfill_date.c.backfill == key)
        .group_by(dag_run.c.state)
    )
    reasons = (
        select(backfill_date.c.exception_reason, func.count())
        .where(backfill_date.c.backfill == key, backfill_date.c.exception_reason.is_not(None))
        .group_by(backfill_date.c.exception_reason)
    )
    counts: dict[str, int] = {}
    for statement in (states, reasons):
        counts |= {word: number for word, number in await tx.execute(statement)}
    return counts


async def _views(tx: Transaction, cards: DagCards, rows: Sequence[RowMapping]) -> list[BackfillView]:
    found = [backfill_of(row) for row in rows]
    by_version = await cards.get(tx, {one.dag_version for one in found})
    return [BackfillView(backfill=one, dag_display_name=by_version[one.dag_version].display_name) for one in found]
