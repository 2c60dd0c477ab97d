"""The form that triggers a DAG: its parameters, each as its schema has it, or another run's configuration again."""

import json
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from flowd.actions.trigger_run import trigger_run
from flowd.api.context import ApiContext, Caller, Context
from flowd.api.dashboard.dag_frame import in_dag_frame
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.param_fields import PARAM, fields_of, typed_value
from flowd.api.dashboard.preferences import preferences_of
from flowd.api.dashboard.words import segment
from flowd.db.views.dags import get_dag
from flowd.db.views.runs import get_run
from flowd.domain.errors import Conflict, InvalidInput
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import TriggeredBy

router = APIRouter(prefix="/dags/{dag_id}", route_class=PageRoute, include_in_schema=False)


@router.get("/trigger")
async def trigger_page(request: Request, context: Context, dag_id: str, run: str = "") -> Response:
    """Show the form, filled in with the defaults or with the configuration of a run."""
    conf: dict[str, Any] = {}
    if run:
        async with context.backends.metastore.reading() as tx:
            conf = (await get_run(tx, context.cards, dag_id, run)).conf
    return await _form(request, context, dag_id, conf=conf, again=run)


@router.post("/trigger")
async def trigger(request: Request, context: Context, caller: Caller, dag_id: str) -> Response:
    """Trigger a DAG, and go to the new run; where that cannot be, show the form again with the reason."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        params = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key].dag.params
    conf: dict[str, Any] = {}
    try:
        conf = _conf(form.get("conf", ""))
        conf |= {
            name: typed_value(param, form[f"{PARAM}{name}"])
            for name, param in params.items()
            if f"{PARAM}{name}" in form
        }
        run = await trigger_run(
            context.backends,
            dag_id=DagId(dag_id),
            run_id=RunId(form["run_id"]) if form.get("run_id") else None,
            # As in Airflow's own form: a run that a person asks for is about now, and its templates have a date.
            logical_date=_moment(request, form.get("logical_date", "")) or context.backends.clock.now(),
            conf=conf or None,
            note=form.get("note") or None,
            triggered_by=TriggeredBy.UI,
            user=caller.username,
        )
    except (InvalidInput, Conflict) as error:
        return await _form(request, context, dag_id, conf=conf, problem=str(error), typed=form)
    return RedirectResponse(f"/dags/{segment(dag_id)}/runs/{segment(run.run_id)}", 303)


async def _form(
    request: Request,
    context: ApiContext,
    dag_id: str,
    *,
    conf: dict[str, Any],
    again: str = "",
    problem: str = "",
    typed: dict[str, str] | None = None,
) -> Response:
    async with context.backends.metastore.reading() as tx:
        dag = await get_dag(tx, context.cards, dag_id)
        params = (await context.backends.graphs.get(tx, [dag.version.key]))[dag.version.key].dag.params
    typed = typed or {}
    rest = {name: value for name, value in conf.items() if name not in params}
    return in_dag_frame(
        request,
        "dag_trigger.html",
        dag,
        tab="/trigger",
        status=400 if problem else 200,
        fields=fields_of(params, conf),
        conf=typed.get("conf", json.dumps(rest, indent=2) if rest else ""),
        again=again,
        problem=problem,
        typed=typed,
    )


def _conf(text: str) -> dict[str, Any]:
    try:
        conf = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise InvalidInput(f"the configuration is no JSON: {error}") from error
    if not isinstance(conf, dict):
        raise InvalidInput('the configuration must be a JSON object, as {"key": "value"}')
    return conf


def _moment(request: Request, text: str) -> datetime | None:
    """Return the moment that was typed, which without an offset is in the reader's time zone."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"the logical date {text!r} is no moment; wanted one as 2026-01-31 04:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=preferences_of(request).zone)
