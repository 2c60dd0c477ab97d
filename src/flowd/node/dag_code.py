"""What runs the code of DAG files and hooks on a node: parsers, what they may look up, what processes are told."""

from collections.abc import Mapping
from pathlib import Path

from flowd.actions.backends import Backends
from flowd.db.secrets_store import Connections, Variables
from flowd.domain.ids import DagId, RunId
from flowd.domain.mappable import LENGTH_VARIABLE
from flowd.roles.bundle_parser import BundleParser
from flowd.roles.connection_tester import ChildConnectionTester
from flowd.roles.look_ups import Library, LookUps
from flowd.roles.scheduler.dag_parse_result import ParseBounds
from flowd.roles.scheduler.dag_parser import DagParser
from flowd.roles.worker.task_environment import scrubbed
from flowd.secret_backends.lookup import SecretLookup
from flowd.security.vault import Vault
from flowd.settings.model import Settings


def make_dag_parser(settings: Settings, library: Library, environ: Mapping[str, str], logs: Path) -> DagParser:
    """Return a parser that writes what files print to `logs`."""
    return DagParser(
        bounds=ParseBounds(timeout=settings.dags.parse_timeout, memory_bytes=settings.dags.parse_memory),
        log_folder=str(logs),
        env={**scrubbed(environ), **told(settings)},
        # A file that reads a Variable or a Connection at its top level is common: it is given them.
        on_request=LookUps(library, DagId(""), RunId("")).answer,
    )


def make_bundle_parser(settings: Settings, library: Library, environ: Mapping[str, str]) -> BundleParser:
    """Return what reads the bundles that are pushed to this node."""
    return BundleParser(
        make_dag_parser(settings, library, environ, settings.home / "logs" / "push"),
        settings.home / "pushes",
        most_bytes=settings.dags.max_bundle_size,
    )


def make_connection_tester(settings: Settings, environ: Mapping[str, str]) -> ChildConnectionTester:
    """Return what tests connections on this node."""
    return ChildConnectionTester(scrubbed(environ), settings.home / "tests")


def told(settings: Settings) -> dict[str, str]:
    """Return what every process must know that imports DAG files."""
    return {
        LENGTH_VARIABLE: str(settings.worker.max_map_length),
        **settings.xcom.variables,
        **settings.secrets.variables,
        **settings.kerberos.variables,
    }


def library_of(settings: Settings, backends: Backends, secrets: SecretLookup) -> Library:
    """Return where variables and connections are looked up, the metastore's as this node can open them."""
    vault = Vault(settings.security.fernet_keys)
    return Library(
        metastore=backends.metastore,
        variables=Variables(backends.metastore, vault),
        connections=Connections(backends.metastore, vault),
        secrets=secrets,
    )
