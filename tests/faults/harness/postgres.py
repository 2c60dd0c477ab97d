"""A private PostgreSQL server."""

import signal
from collections.abc import Sequence

from tests.faults.harness.database_server import DatabaseServer
from tests.faults.harness.server_process import program

_PLACES = ("/usr/lib/postgresql/*/bin",)


class PostgresProcess(DatabaseServer):
    """Listens on loopback and trusts everyone there.

    It does not wait for the disk: what a killed process has written stays with the kernel, and a machine that loses
    power is no fault of this campaign.
    """

    name = "PostgreSQL"
    user = "postgres"
    farewell = signal.SIGINT  # ends its clients' connections; SIGTERM would wait for them

    def prepare(self) -> None:
        initdb = program("initdb", *_PLACES, user=self.user)
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.run([initdb, f"--pgdata={self.folder}/data", *options])

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "400",
            "deadlock_timeout": "200ms",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [program("postgres", *_PLACES), "-D", f"{self.folder}/data", "-p", str(self.port), *chosen]

    def answers(self) -> bool:
        # After a crash it listens long before it lets anyone in.
        return "ready to accept connections" in self.log and self.listens()

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser and return its rows, without headings."""
        psql = program("psql", *_PLACES)
        return self.run([psql, self.url(database), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]).strip()

    def create(self, database: str) -> None:
        self.sql(f'CREATE DATABASE "{database}" TEMPLATE template0')
        # Found before the server's own: so a scenario can move the database's clock, for all nodes in one instant.
        self.sql("CREATE SCHEMA faults", database)
        self.sql("CREATE TABLE faults.clock AS SELECT interval '0' AS ahead", database)
        self.sql(
            "CREATE FUNCTION faults.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
            " 'SELECT pg_catalog.clock_timestamp() + ahead FROM faults.clock'",
            database,
        )
        self.sql(f'ALTER DATABASE "{database}" SET search_path = public, faults, pg_catalog')

    def move_clock(self, database: str, ahead: str) -> None:
        """Set the database's clock ahead by an interval, such as '1 hour' or '-400 days'."""
        self.sql(f"UPDATE faults.clock SET ahead = interval '{ahead}'", database)

    def url(self, database: str, port: int | None = None) -> str:
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}"

    def terminate_connections(self, database: str) -> None:
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")

    def count_deadlocks(self) -> int:
        return self.log.count("deadlock detected")
