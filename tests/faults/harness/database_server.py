"""DatabaseServer: a private server that keeps metastores."""

from abc import abstractmethod

from tests.faults.harness.server_process import ServerProcess


class DatabaseServer(ServerProcess):
    """What a cluster and its scenarios want of the server that its metastore is on."""

    @abstractmethod
    def create(self, database: str) -> None:
        """Make an empty database."""

    @abstractmethod
    def url(self, database: str, port: int | None = None) -> str:
        """Return the metastore URL of a database, through `port` where it is not to be the server's own."""

    @abstractmethod
    def terminate_connections(self, database: str) -> None:
        """End every connection to a database."""

    @abstractmethod
    def count_deadlocks(self) -> int:
        """Return how many deadlocks the server has broken."""
