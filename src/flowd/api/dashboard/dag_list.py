"""The list of DAGs. Its filters are in the URL, so that a view can be kept and sent to others."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from flowd.api.context import Caller, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.db.favorites import favorites_of
from flowd.db.views.dags import DagFilter, list_dags, list_tags
from flowd.db.views.import_errors import list_import_errors
from flowd.db.views.listing import Condition, Contains, Listing, OneOf, Order
from flowd.db.views.overview import due_runs
from flowd.db.views.recent import recent_runs

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
RECENT_RUNS = 14
WINDOW = timedelta(days=1)
ORDERS = {"dag_id": "name", "next_dagrun": "next run", "last_run_start_date": "last run"}
STATES = ("all", "active", "paused", "running", "failed", "favorites")


@router.get("/dags")
async def dags_page(
    request: Request,
    context: Context,
    caller: Caller,
    q: str = "",
    show: str = "all",
    tag: Annotated[Sequence[str], Query()] = (),
    order: str = "dag_id",
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """List the DAGs with the state of their last runs."""
    conditions: list[Condition] = [OneOf("is_active", (True,))]
    if q:
        conditions.append(Contains("dag_id", q))
    if show in ("active", "paused"):
        conditions.append(OneOf("is_paused", (show == "paused",)))
    if show in ("running", "failed"):
        conditions.append(OneOf("last_run_state", (show,)))
    wanted = DagFilter(
        tags=tuple(tag),
        are_all_tags_wanted=True,
        is_favorite=True if show == "favorites" else None,
        is_favorite_of=caller.username,
    )
    by = order if order in ORDERS else "dag_id"
    async with context.backends.metastore.reading() as tx:
        listing = Listing(
            conditions=tuple(conditions),
            order_by=(Order(by, is_descending=by == "last_run_start_date"),),
            limit=PAGE_ROWS,
            offset=offset,
        )
        dags, total = await list_dags(tx, context.cards, listing, wanted)
        dag_ids = [dag.dag_id for dag in dags]
        recent = await recent_runs(tx, dag_ids, per_dag=RECENT_RUNS)
        due = await due_runs(tx, dag_ids, since=context.backends.clock.now() - WINDOW)
        tags = await list_tags(tx, context.cards)
        errors, error_total = await list_import_errors(tx, Listing(limit=3))
        favorites = await favorites_of(tx, caller.username, dag_ids)
    return render(
        request,
        "dags.html",
        dags=dags,
        total=total,
        offset=offset,
        rows=PAGE_ROWS,
        q=q,
        show=show,
        chosen_tags=list(tag),
        tags=tags,
        order=by,
        orders=ORDERS,
        states=STATES,
        query=lambda **changes: _query(dict(q=q, show=show, tag=list(tag), order=by) | changes),
        recent=recent,
        due=due,
        errors=errors,
        error_total=error_total,
        favorites=favorites,
    )


def _query(values: dict[str, str | list[str]]) -> str:
    """Return the query of a URL with what is not as it is by itself."""
    defaults = {"q": "", "show": "all", "tag": [], "order": "dag_id"}
    return urlencode({name: value for name, value in values.items() if value != defaults[name]}, doseq=True)
