"""A workbench for attempts, in a folder of the test's own."""

from datetime import timedelta
from pathlib import Path

from cryptography.fernet import Fernet

from flowd.actions.backends import Backends
from flowd.clock import SystemClock
from flowd.db.secrets_store import Connections, Variables
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library
from flowd.roles.worker.attempt import Workbench
from flowd.roles.worker.reporter import Reporter
from flowd.security.vault import Vault
from tests.child.keeper.launching import KEEPER_ENV


def a_bench(backends: Backends, reporter: Reporter, folder: Path, bundles: BundleCache | None = None) -> Workbench:
    """What attempts work with; logs and bundles lie in `folder`."""
    metastore = backends.metastore
    vault = Vault([Fernet.generate_key().decode()])
    return Workbench(
        library=Library(
            metastore=metastore, variables=Variables(metastore, vault), connections=Connections(metastore, vault)
        ),
        backends=backends,
        bundles=bundles or BundleCache(metastore, folder / "bundles"),
        reporter=reporter,
        clock=SystemClock(),
        environ=KEEPER_ENV,
        logs=folder / "logs",
        log_limit_bytes=10**6,
        kill_grace=timedelta(seconds=0.3),
        is_strictly_fenced=True,
    )
