"""A private RabbitMQ node."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property

from bench.cluster.free_port import free_port
from tests.faults.harness.broker_server import BrokerServer
from tests.faults.harness.server_process import program

HEARTBEAT_SECONDS = 3
_PLACES = ("/usr/lib/rabbitmq/bin",)  # the scripts themselves: Debian's wrappers in PATH become the system's own node


class RabbitmqProcess(BrokerServer):
    """A broker of its own name, which no other Erlang node of this machine meets."""

    name = "RabbitMQ"

    @cached_property
    def node(self) -> str:
        """Its Erlang name."""
        return f"flowd-faults-{self.port}@localhost"

    @property
    def url(self) -> str:
        """Where guests connect to."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def prepare(self) -> None:
        program("rabbitmq-server", *_PLACES)
        self._distribution_port = free_port()
        (self.folder / "environment").touch()
        (self.folder / "plugins").write_text("[].\n")
        settings = f"listeners.tcp.local = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
        (self.folder / "rabbitmq.conf").write_text(settings)

    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),  # where the cookie is
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_CONF_ENV_FILE": f"{self.folder}/environment",
            "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{self.folder}/log",
            "RABBITMQ_PID_FILE": f"{self.folder}/pid",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            # One scheduler that does not spin: the machine is busy enough.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
        }

    def command(self) -> Sequence[str]:
        return [program("rabbitmq-server", *_PLACES)]

    def answers(self) -> bool:
        return "Server startup complete" in self.log and self.listens()

    def settings(self, port: int) -> Mapping[str, str]:
        return {"FLOWD__QUEUE__URL": f"amqp://guest:guest@127.0.0.1:{port}/?heartbeat={HEARTBEAT_SECONDS}"}

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on it."""
        return self.run([program("rabbitmqctl", *_PLACES), "--node", self.node, "--quiet", *arguments])
