"""The keeper's start and end."""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence

from flowd.child.keeper import linux
from flowd.child.keeper.reactor import Reactor
from flowd.child.keeper.supervisor import Supervisor
from flowd.child.keeper.task_entry import renew_standard_streams
from flowd.child.keeper.tree import kill_everything_below
from flowd.child.keeper.warm_limits import WarmLimits

PREIMPORTED = (
    "jinja2",
    "flowd.compat",
    "flowd.operators",
    "flowd.sdk",
    "flowd.sdk.dag_file",
    "flowd.child.run_task",
    "flowd.child.rehearsal",
    "flowd.child.parse_dags",
)
"""What nearly every task needs, imported once here, so that forks share it."""

_KILL_SECONDS = 1.5


def main(arguments: Sequence[str]) -> None:
    """Serve the node on the inherited socket until it is gone; then kill every process below, and exit."""
    # The node decides what a signal to the terminal's or the service's whole group means.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    linux.become_subreaper()
    renew_standard_streams()
    node_socket = socket.socket(fileno=int(arguments[0]))
    node_socket.set_inheritable(False)
    _import_ahead()
    gc.collect()
    gc.freeze()
    supervisor = Supervisor(node_socket, Reactor(), WarmLimits(**json.loads(arguments[1])))
    try:
        supervisor.run(os.getpid())
    finally:
        supervisor.abandon()
        _kill_all()
        supervisor.close()


def _import_ahead() -> None:
    for name in PREIMPORTED:
        try:
            importlib.import_module(name)
        except Exception:
            # A script runs without it, and a call that needs it says so in its own log.
            traceback.print_exc()


def _kill_all() -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    while not kill_everything_below() and time.monotonic() < deadline:
        time.sleep(0.005)
    if not kill_everything_below():
        sys.stderr.write("keeper: some processes could not be killed\n")
