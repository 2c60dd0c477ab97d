"""create_app: the FastAPI application of a node's api role."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.staticfiles import StaticFiles

import flowd
from flowd.actions.backends import Backends
from flowd.api import errors
from flowd.api.body_limit import BodyLimit
from flowd.api.context import ApiContext
from flowd.api.dashboard import answer_pages, dag_pages, login_pages, run_pages
from flowd.api.dashboard.pages import STATIC, make_templates
from flowd.api.envelope import Envelope
from flowd.api.login import Login
from flowd.api.metrics import ApiMetrics
from flowd.api.readiness import Readiness
from flowd.api.routes import (
    dag_runs,
    dag_versions,
    dags,
    hitl,
    import_errors,
    logs,
    monitor,
    pools,
    secrets,
    task_changes,
    task_instances,
    tokens,
    waiting,
    xcoms,
)
from flowd.api.sessions import Sessions
from flowd.db.accounts import Accounts
from flowd.db.login_links import LoginLinks
from flowd.db.pools import Pools
from flowd.db.secrets_store import Connections, Variables
from flowd.db.views.dag_cards import DagCards
from flowd.logs.reader import LogReader
from flowd.security.tokens import TokenSigner
from flowd.security.vault import Vault
from flowd.settings.model import Settings

_ROUTERS = (
    monitor.router,
    tokens.router,
    dags.router,
    dag_versions.router,
    waiting.router,
    dag_runs.router,
    # Before the task instances: their route for a map index would take `logs` and `xcomEntries` for one.
    logs.router,
    hitl.router,
    xcoms.router,
    task_instances.router,
    task_changes.router,
    pools.router,
    secrets.router,
    import_errors.router,
    login_pages.router,
    dag_pages.router,
    run_pages.router,
    answer_pages.router,
)


def create_app(
    backends: Backends, settings: Settings, *, readiness: Readiness, registry: CollectorRegistry | None = None
) -> FastAPI:
    """Return the app: the REST API, the dashboard, health and metrics. It owns nothing that must be closed."""
    security = settings.security
    accounts = Accounts(backends.metastore)
    vault = Vault(security.fernet_keys)
    metrics = ApiMetrics(registry or CollectorRegistry())
    app = FastAPI(
        title="flowd",
        version=flowd.__version__,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.templates = make_templates()
    app.state.context = ApiContext(
        backends=backends,
        settings=settings,
        readiness=readiness,
        metrics=metrics,
        accounts=accounts,
        login=Login(accounts, LoginLinks(backends.metastore), backends.clock),
        tokens=TokenSigner(security.secret_keys, security.token_lifetime),
        sessions=Sessions(security.secret_keys, security.token_lifetime),
        pools=Pools(backends.metastore),
        variables=Variables(backends.metastore, vault),
        connections=Connections(backends.metastore, vault),
        cards=DagCards(),
        logs=LogReader(),
    )
    errors.install(app)
    for router in _ROUTERS:
        # One flat list of routes: so the guards, the metrics and the tests see each with its whole path.
        app.router.routes.extend(router.routes)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(BodyLimit)
    # Added last, so that it is around everything else.
    app.add_middleware(Envelope, metrics=metrics)
    return app
