"""A private MariaDB server."""

import signal
from collections.abc import Sequence

from tests.faults.harness.database_server import DatabaseServer
from tests.faults.harness.server_process import program

_PLACES = ("/usr/sbin",)


class MariadbProcess(DatabaseServer):
    """Listens on loopback, where root needs no password. It waits for the disk no more than PostgreSQL does here."""

    name = "MariaDB"
    user = "mysql"
    farewell = signal.SIGTERM

    def prepare(self) -> None:
        program("mariadbd", *_PLACES, user=self.user)
        options = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")
        self.run([program("mariadb-install-db"), *options, f"--datadir={self.folder}/data"])

    def command(self) -> Sequence[str]:
        return [
            program("mariadbd", *_PLACES),
            "--no-defaults",
            f"--datadir={self.folder}/data",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--innodb-flush-log-at-trx-commit=2",
            "--max-connections=400",
        ]

    def answers(self) -> bool:
        return "ready for connections" in self.log and self.listens()

    def sql(self, statement: str) -> str:
        """Run a statement as root and return its rows, without headings."""
        login = ("--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", "--user=root")
        return self.run([program("mariadb"), *login, "--skip-column-names", "--batch", "-e", statement]).strip()

    def create(self, database: str) -> None:
        self.sql(f"CREATE DATABASE `{database}`")

    def url(self, database: str, port: int | None = None) -> str:
        return f"mysql://root@127.0.0.1:{port or self.port}/{database}"

    def terminate_connections(self, database: str) -> None:
        rows = self.sql(f"SELECT id FROM information_schema.processlist WHERE db = '{database}'")
        for number in rows.split():
            self.sql(f"KILL {number}")

    def count_deadlocks(self) -> int:
        name = "innodb_deadlocks"
        return int(self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'").split()[-1])
