"""The code of a DAG, highlighted, in each of its versions, and what differs between two."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from flowd.api.context import Context
from flowd.api.dashboard.dag_frame import in_dag_frame
from flowd.api.dashboard.guard import PageRoute
from flowd.api.routes.dag_versions import source_of
from flowd.api.storable import WholeNumber
from flowd.db.views.dags import get_dag
from flowd.db.views.listing import Listing, Order
from flowd.db.views.versions import get_version, list_versions, of_dag
from flowd.domain.ids import BundleHash

router = APIRouter(prefix="/dags/{dag_id}", route_class=PageRoute, include_in_schema=False)

MOST_VERSIONS = 50
LONGEST_HIGHLIGHTED = 300_000
"""A longer file is shown without colours: making them would take seconds."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a difference: `kind` is what became of it."""

    kind: str
    text: str


@router.get("/code")
async def code_page(
    request: Request,
    context: Context,
    dag_id: str,
    version: WholeNumber | None = None,
    against: WholeNumber | None = None,
) -> Response:
    """Show the file of a DAG as a version of it has it, or what is new in it since another one."""
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        shown = await get_version(tx, dag_id, version)
        versions, _ = await list_versions(
            tx,
            Listing(
                conditions=(of_dag(dag_id),),
                order_by=(Order("version_number", is_descending=True),),
                limit=MOST_VERSIONS,
            ),
        )
        text = await source_of(tx, BundleHash(shown.bundle), dag.file)
        older = await get_version(tx, dag_id, against) if against is not None else None
        before = await source_of(tx, BundleHash(older.bundle), dag.file) if older is not None else None
    return in_dag_frame(
        request,
        "dag_code.html",
        dag,
        tab="/code",
        shown=shown,
        versions=versions,
        against=against,
        lines=_highlighted(text) if before is None else [],
        changes=None if before is None else _changes(before, text),
    )


def _highlighted(text: str) -> Sequence[Markup | str]:
    if len(text) > LONGEST_HIGHLIGHTED:
        return text.splitlines()
    # Few look at code, and it takes 4 MiB.
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    # Pygments escapes what it colours; its classes are in flowd.css.
    coloured: str = highlight(text, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return [Markup(line) for line in coloured.splitlines()]


def _changes(before: str, after: str) -> list[DiffLine]:
    kinds = {"+": "added", "-": "gone", "@": "place"}
    return [
        DiffLine(kinds.get(line[:1], "same"), line)
        for line in list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=4))[2:]
    ]
