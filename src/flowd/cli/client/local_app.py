"""local_app: the REST API of this machine's settings, in this process, for whoever may read those settings."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from flowd.api.app import create_app
from flowd.api.operator import OperatedApp, Operator
from flowd.cli.session import actor, read_settings, ready_metastore, say_only_what_is_wrong
from flowd.db.accounts import Account
from flowd.logs.reader import LogReader
from flowd.node.backends import open_around
from flowd.node.dag_code import library_of, make_bundle_parser, make_connection_tester
from flowd.node.log_store import open_log_store
from flowd.secret_backends.configured import configured_lookup
from flowd.security.account_role import AccountRole


class _Ready:
    """Nobody sends this app requests but the command that opened it."""

    async def problems(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}


@asynccontextmanager
async def local_app() -> AsyncIterator[OperatedApp]:
    """Open the app over the metastore and queue of the settings; every request is that of this machine's user.

    They are an Admin: who holds the settings holds the metastore's password and the keys. Raises what `read_settings`
    and `ready_metastore` raise; a queue that is away holds up nothing.
    """
    settings = read_settings()
    say_only_what_is_wrong(settings)
    async with ready_metastore(settings) as metastore:
        async with open_around(metastore, settings, f"cli/{os.getpid()}", heartbeats=metastore) as opened:
            secrets = configured_lookup(settings.secrets, os.environ, opened.backends.clock)
            async with secrets.open(), open_log_store(settings.logs) as log_store:
                bundles = make_bundle_parser(settings, library_of(settings, opened.backends, secrets), os.environ)
                logs = LogReader(source=log_store)
                tester = make_connection_tester(settings, os.environ)
                app = create_app(
                    opened.backends, settings, bundles=bundles, tester=tester, readiness=_Ready(), logs=logs
                )
                yield OperatedApp(app, _operator())


def _operator() -> Operator:
    who = actor()
    account = Account(
        username=who.name,
        role=AccountRole.ADMIN,
        is_active=True,
        has_password=False,
        created_at=datetime.fromtimestamp(0, UTC),
        generation=0,
    )
    return Operator(account=account, event=who.event)
