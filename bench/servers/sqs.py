"""SQS on this machine: moto's server, which answers as AWS does but keeps nothing and knows no network."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.cluster.free_port import free_port
from bench.cluster.waiting import wait_until

KEY, SECRET, REGION = "bench", "bench", "eu-west-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsServer:
    """Where it answers, and the process that does."""

    endpoint: str
    pid: int


@contextmanager
def own_sqs() -> Iterator[SqsServer]:
    """Start it; it is gone, with its queues, at the end."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # A file, for it writes a line for each request: a pipe that nobody reads would halt it.
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as moto,
    ):
        try:

            def has_begun() -> bool:
                return moto.poll() is not None or _answers(port)

            wait_until(has_begun, "moto's server to answer")
            if moto.poll() is not None:
                log.seek(0)
                said = log.read().decode(errors="replace").strip()[-500:]
                raise SystemExit(f"bench: moto's server ended at once ({said}); it comes with the dev requirements")
            yield SqsServer(endpoint=f"http://127.0.0.1:{port}", pid=moto.pid)
        finally:
            moto.kill()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
