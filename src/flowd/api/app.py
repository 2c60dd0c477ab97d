"""create_app: the FastAPI application of a node's api role."""

from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.staticfiles import StaticFiles

import flowd
from flowd.actions.backends import Backends
from flowd.actions.bundle_reader import BundleReader
from flowd.actions.connection_tester import ConnectionTester
from flowd.api import errors
from flowd.api.airflow2 import dag_runs as airflow2_runs
from flowd.api.airflow2 import dags as airflow2_dags
from flowd.api.airflow2 import monitor as airflow2_monitor
from flowd.api.airflow2 import stores as airflow2_stores
from flowd.api.airflow2 import task_instances as airflow2_tasks
from flowd.api.airflow2.basic_auth import BasicLogins
from flowd.api.body_limit import BodyLimit
from flowd.api.context import ApiContext
from flowd.api.dashboard import (
    account_pages,
    answer_pages,
    asset_graph_pages,
    asset_pages,
    backfill_pages,
    bundle_pages,
    config_page,
    connection_pages,
    dag_actions,
    dag_history,
    dag_list,
    dag_pages,
    dag_records,
    dag_source,
    dag_trigger,
    event_pages,
    graph_pages,
    hitl_page,
    home_page,
    import_error_pages,
    live_events,
    login_pages,
    oidc_pages,
    pool_pages,
    preferences,
    queue_pages,
    run_lists,
    run_pages,
    search_page,
    task_pages,
    user_pages,
    variable_pages,
    worker_pages,
)
from flowd.api.dashboard.change_feed import ChangeFeed
from flowd.api.dashboard.drawing_cache import DrawingCache
from flowd.api.dashboard.pages import STATIC, make_templates
from flowd.api.delivery_rates import DeliveryRates
from flowd.api.envelope import Envelope
from flowd.api.hangup import Hangup
from flowd.api.login import Login
from flowd.api.metrics import ApiMetrics, TicketLives, no_tickets
from flowd.api.openapi import DescribedApp
from flowd.api.readiness import Readiness
from flowd.api.routes import (
    asset_state,
    assets,
    autoscale,
    backfills,
    bulk_stores,
    by_filter,
    connection_tests,
    dag_parsing,
    dag_runs,
    dag_versions,
    dag_warnings,
    dags,
    deployment,
    event_logs,
    hitl,
    import_errors,
    links,
    logs,
    me,
    monitor,
    next_runs,
    people,
    pools,
    pushed_bundles,
    refused,
    run_changes,
    secrets,
    task_changes,
    task_instances,
    task_patches,
    task_queues,
    task_state,
    tokens,
    waiting,
    webhooks,
    workers,
    xcoms,
)
from flowd.db.accounts import Accounts
from flowd.db.login_links import LoginLinks
from flowd.db.login_log import LoginLog
from flowd.db.views.dag_cards import DagCards
from flowd.logs.reader import LogReader
from flowd.security.tokens import TokenSigner
from flowd.security.vault import Vault
from flowd.settings.model import Settings

if TYPE_CHECKING:
    from flowd.api.oidc.oidc_login import OidcLogin

_ROUTERS = (
    monitor.router,
    tokens.router,
    me.router,
    dags.router,
    dag_versions.router,
    waiting.router,
    dag_runs.router,
    run_changes.router,
    by_filter.router,
    # Before the task instances and connections: their routes for one would take `logs` or `enqueue-test` for its name.
    refused.router,
    links.router,
    logs.router,
    hitl.router,
    xcoms.router,
    task_state.router,
    task_instances.router,
    task_patches.router,
    task_changes.router,
    assets.router,
    asset_state.router,
    backfills.router,
    bulk_stores.router,
    pools.router,
    secrets.router,
    connection_tests.router,
    import_errors.router,
    event_logs.router,
    dag_warnings.router,
    deployment.router,
    dag_parsing.router,
    workers.router,
    task_queues.router,
    autoscale.router,
    webhooks.router,
    pushed_bundles.router,
    next_runs.router,
    people.router,
    airflow2_monitor.router,
    airflow2_dags.router,
    airflow2_runs.router,
    airflow2_tasks.router,
    airflow2_stores.router,
    login_pages.router,
    oidc_pages.router,
    preferences.router,
    live_events.router,
    home_page.router,
    dag_list.router,
    dag_actions.router,
    dag_pages.router,
    dag_history.router,
    dag_records.router,
    dag_source.router,
    dag_trigger.router,
    graph_pages.router,
    run_lists.router,
    run_pages.router,
    task_pages.router,
    answer_pages.router,
    user_pages.router,
    account_pages.router,
    pool_pages.router,
    variable_pages.router,
    connection_pages.router,
    import_error_pages.router,
    event_pages.router,
    config_page.router,
    worker_pages.router,
    queue_pages.router,
    hitl_page.router,
    backfill_pages.router,
    # Before the pages of one asset, which would take `graph` for its number.
    asset_graph_pages.router,
    asset_pages.router,
    search_page.router,
    bundle_pages.router,
)


def create_app(
    backends: Backends,
    settings: Settings,
    *,
    bundles: BundleReader,
    tester: ConnectionTester,
    readiness: Readiness,
    registry: CollectorRegistry | None = None,
    logs: LogReader | None = None,
    tickets: TicketLives = no_tickets,
) -> FastAPI:
    """Return the app: the REST API, the dashboard, health and metrics. It owns nothing that must be closed.

    `logs` reads those of tries; without it they are files of this machine. `tickets` is what the node knows of its
    Kerberos tickets.
    """
    security = settings.security
    vault = Vault(security.fernet_keys)
    accounts, login_log = Accounts(backends.metastore), LoginLog(backends.metastore)
    login = Login(accounts, LoginLinks(backends.metastore), login_log, backends.clock)
    metrics = ApiMetrics(registry or CollectorRegistry(), by_dag=settings.metrics.by_dag, tickets=tickets)
    app = DescribedApp(
        title="flowd",
        version=flowd.__version__,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.templates = make_templates()
    app.state.drawings = DrawingCache()
    app.state.change_feed = ChangeFeed(backends.metastore, backends.clock)
    app.state.context = ApiContext(
        backends=backends,
        bundles=bundles,
        tester=tester,
        settings=settings,
        readiness=readiness,
        metrics=metrics,
        login=login,
        basic=BasicLogins(login, accounts, login_log),
        deliveries=DeliveryRates(backends.clock),
        tokens=TokenSigner(security.secret_keys, security.token_lifetime),
        oidc=_oidc(backends, settings, vault),
        vault=vault,
        cards=DagCards(),
        logs=logs or LogReader(),
    )
    errors.install(app)
    for router in _ROUTERS:
        # One flat list of routes: so the guards, the metrics and the tests see each with its whole path.
        app.router.routes.extend(router.routes)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Hangup)
    app.add_middleware(BodyLimit, larger={pushed_bundles.ARCHIVES: settings.dags.max_bundle_size})
    # Added last, so that it is around everything else.
    app.add_middleware(Envelope, metrics=metrics)
    return app


def _oidc(backends: Backends, settings: Settings, vault: Vault) -> "OidcLogin | None":
    if not settings.oidc.issuer:
        return None
    from flowd.api.oidc.oidc_login import OidcLogin  # an HTTP client, which nodes without a provider need not load

    return OidcLogin(backends, settings, vault)
