"""A private double of Amazon SQS."""

import sys
from collections.abc import Mapping, Sequence

from tests.faults.harness.broker_server import BrokerServer
from tests.support.services import SqsServer


class SqsProcess(BrokerServer):
    """moto: it keeps its queues in memory, so that a new process of it has forgotten all of them."""

    name = "SQS"

    def prepare(self) -> None:
        """It starts with nothing."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)]

    def answers(self) -> bool:
        return SqsServer(f"http://127.0.0.1:{self.port}").answers()

    def settings(self, port: int) -> Mapping[str, str]:
        return {
            "FLOWD__QUEUE__URL": "sqs://KEY:SECRET@",
            "FLOWD__QUEUE__SQS_REGION": "eu-central-1",
            "FLOWD__QUEUE__SQS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
