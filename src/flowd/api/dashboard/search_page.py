"""`/search`: DAGs, runs, tasks, assets and pages by words of their names. The palette shows what this page finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from flowd.api.context import Caller, Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.api.dashboard.site_map import places_for
from flowd.api.dashboard.words import segment
from flowd.db.accounts import Account
from flowd.db.views.search import Found, search
from flowd.domain.relevance import distance, words_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

MOST_HITS = 8
"""How many of each kind are shown; a link leads to the list that has all of them."""

LONGEST_QUERY = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A line of the results: where it leads, what it is called, and what else is said of it."""

    place: str
    name: str
    beside: str = ""
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The results of a kind, and where there are more of them."""

    title: str
    hits: Sequence[Hit]
    all_at: str | None = None


@router.get("/search")
async def search_page(
    request: Request,
    context: Context,
    caller: Caller,
    q: Annotated[str, Query(max_length=LONGEST_QUERY)] = "",
) -> Response:
    """Show what has all the words that are asked for in its names; asked for nothing, the pages there are."""
    async with context.backends.metastore.reading() as tx:
        found = await search(tx, context.cards, q, most=MOST_HITS)
    sections = [one for one in (_pages(caller, q), *_sections(found, q)) if one.hits]
    total = sum(len(one.hits) for one in sections)
    return render(request, "search.html", q=q, sections=sections, total=total)


def _pages(account: Account, text: str) -> Section:
    words = words_of(text)
    known = [(distance(words, (one.label, one.words)), one) for one in places_for(account)]
    nearest = sorted(((far, one) for far, one in known if far is not None), key=lambda pair: pair[0])
    return Section(title="Pages", hits=[Hit(place=one.path, name=one.label, beside=one.path) for _, one in nearest])


def _sections(found: Found, text: str) -> list[Section]:
    dags = [
        Hit(
            place=f"/dags/{segment(one.dag_id)}",
            name=one.display_name,
            beside=_about(one.dag_id if one.display_name != one.dag_id else "", one.is_active, one.is_paused),
        )
        for one in found.dags
    ]
    tasks = [
        Hit(place=f"/dags/{segment(one.dag_id)}/tasks/{segment(one.task_id)}", name=one.display_name, beside=one.dag_id)
        for one in found.tasks
    ]
    runs = [
        Hit(
            place=f"/dags/{segment(one.dag_id)}/runs/{segment(one.run_id)}",
            name=one.run_id,
            beside=one.dag_id,
            state=one.state.value,
        )
        for one in found.runs
    ]
    assets = [
        Hit(place=f"/assets/{one.id}", name=one.name, beside=one.uri if one.uri != one.name else "")
        for one in found.assets
    ]
    return [
        _section("DAGs", dags, f"/dags?{urlencode({'q': text})}"),
        _section("Tasks", tasks, f"/task_instances?{urlencode({'task': text})}"),
        _section("Runs", runs, None),
        _section("Assets", assets, f"/assets?{urlencode({'q': text, 'show': 'all'})}"),
    ]


def _section(title: str, hits: Sequence[Hit], all_at: str | None) -> Section:
    return Section(title=title, hits=hits, all_at=all_at if len(hits) >= MOST_HITS else None)


def _about(dag_id: str, is_active: bool, is_paused: bool) -> str:
    words = "not in service" if not is_active else "paused" if is_paused else ""
    return " · ".join(part for part in (dag_id, words) if part)
