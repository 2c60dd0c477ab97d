"""BrokerServer: a private server that carries messages."""

from abc import abstractmethod
from collections.abc import Mapping

from tests.faults.harness.server_process import ServerProcess


class BrokerServer(ServerProcess):
    """What a cluster wants of the server that its queue is on."""

    @abstractmethod
    def settings(self, port: int) -> Mapping[str, str]:
        """Return the variables of a node that is to reach the broker through `port`."""
