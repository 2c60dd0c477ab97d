"""Search: DAGs, tasks, runs and assets by words of their names, those that may be seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from operator import itemgetter

from sqlalchemy import ColumnElement, Row, and_, func, or_, select

from flowd.db.asset_tables import asset
from flowd.db.tables import dag
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCard, DagCards
from flowd.db.views.recent import RecentRun, runs_with
from flowd.db.views.sight import is_seen
from flowd.domain.relevance import distance, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDag:
    """A DAG, and whether it is in service."""

    dag_id: str
    display_name: str
    is_active: bool
    is_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTask:
    """A task of the current version of a DAG in service."""

    dag_id: str
    task_id: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAsset:
    """An asset."""

    id: int
    name: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What has all the words in its names, the nearest first: of each kind no more than were asked for."""

    dags: Sequence[FoundDag] = ()
    tasks: Sequence[FoundTask] = ()
    runs: Sequence[RecentRun] = ()
    assets: Sequence[FoundAsset] = ()


async def search(tx: Transaction, cards: DagCards, text: str, *, most: int) -> Found:
    """Return what has all words of the text in its names, in upper or lower case; without words, nothing.

    A DAG has its tags among its names, a task and a run the id of their DAG, an asset its URI. Of runs it knows what
    `runs_with` knows.
    """
    words = words_of(text)
    if not words:
        return Found()
    rows = (
        await tx.execute(
            select(dag.c.dag_id, dag.c.version, dag.c.is_active, dag.c.is_paused).where(is_seen(tx, dag.c.dag_id))
        )
    ).all()
    by_version = await cards.get(tx, {row.version for row in rows})
    dags = [(_dag(row, by_version[row.version]), by_version[row.version]) for row in rows]
    return Found(
        dags=_nearest_dags(words, dags, most),
        tasks=_nearest_tasks(words, dags, most),
        runs=await runs_with(tx, text, most=most),
        assets=await _assets(tx, words, most),
    )


def _dag(row: Row[tuple[str, int, bool, bool]], card: DagCard) -> FoundDag:
    return FoundDag(
        dag_id=row.dag_id,
        display_name=card.display_name,
        is_active=bool(row.is_active),
        is_paused=bool(row.is_paused),
    )


def _nearest_dags(words: Sequence[str], dags: Iterable[tuple[FoundDag, DagCard]], most: int) -> list[FoundDag]:
    found = [
        (not one.is_active, far, len(one.dag_id), one.dag_id, one)
        for one, card in dags
        if (far := distance(words, (one.dag_id, one.display_name, *card.tags))) is not None
    ]
    return [one for *_, one in nsmallest(most, found, key=itemgetter(0, 1, 2, 3))]


def _nearest_tasks(words: Sequence[str], dags: Iterable[tuple[FoundDag, DagCard]], most: int) -> list[FoundTask]:
    found = (
        (far, task_id, one.dag_id, name)
        for one, card in dags
        if one.is_active
        for task_id, name in card.task_names.items()
        if _is_in_one(words, names := (task_id,) if name == task_id else (task_id, name))
        and (far := distance(words, (*names, one.dag_id))) is not None
    )
    return [
        FoundTask(dag_id=dag_id, task_id=task_id, display_name=name)
        for _, task_id, dag_id, name in nsmallest(most, found)
    ]


def _is_in_one(words: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether a word is in a name: the words of a DAG alone find the DAG, and not each of its tasks."""
    return any(word in name.casefold() for word in words for name in names)


async def _assets(tx: Transaction, words: Sequence[str], most: int) -> list[FoundAsset]:
    has_all: ColumnElement[bool] = and_(
        *(or_(*(c.icontains(word, autoescape=True) for c in (asset.c.name, asset.c.uri))) for word in words)
    )
    rows = await tx.execute(
        select(asset.c.id, asset.c.name, asset.c.uri)
        .where(has_all)
        .order_by(func.length(asset.c.name), asset.c.name)
        .limit(most)
    )
    return [FoundAsset(id=row.id, name=row.name, uri=row.uri) for row in rows]
