"""A node as scenarios start it: `flowd` itself, with doors to fail at, shorter patience, and perhaps a wrong clock.

python -m tests.faults.node run --roles scheduler
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

from flowd.child.keeper.linux import die_with_parent
from flowd.cli.main import main
from flowd.clock import SystemClock
from flowd.db import connections, engine
from flowd.db.ledger import dispatch
from tests.faults.failpoints.gatekeeper import Gatekeeper
from tests.faults.failpoints.hinges import hang_doors
from tests.faults.failpoints.order import VARIABLE, OrderBook
from tests.support.sabotage import Sabotage, commit_sabotage

CLOCK_SHIFT = "FLOWD_FAULT_CLOCK_SHIFT_SECONDS"
"""How far ahead this node's wall clock is."""

ENDLESS_PATIENCE = "FLOWD_FAULT_ENDLESS_PATIENCE"
"""Set where a message that was confirmed must do without being rung a second time, and no server gives up a session."""

SABOTAGE = "FLOWD_FAULT_SABOTAGE"
"""Names what is broken in this node: see tests.support.sabotage."""

STATEMENT_SECONDS = 3.0
CONNECT_SECONDS = 2.0
IDLE_IN_TRANSACTION_SECONDS = 5
FIRST_RING_AGAIN = timedelta(seconds=3)


def lose_patience() -> None:
    """Wait seconds where a node in earnest waits a minute: for statements, connections, and unclaimed messages."""
    engine.STATEMENT_SECONDS = STATEMENT_SECONDS
    connections.STATEMENT_SECONDS = STATEMENT_SECONDS  # type: ignore[attr-defined]
    engine.IDLE_IN_TRANSACTION_SECONDS = IDLE_IN_TRANSACTION_SECONDS
    engine.CONNECT_SECONDS = CONNECT_SECONDS
    dispatch.FIRST_RING_AGAIN = FIRST_RING_AGAIN


def gain_patience() -> None:
    """Ring for a second time a day after the first."""
    dispatch.FIRST_RING_AGAIN = timedelta(days=1)


def shift_clock(by: timedelta) -> None:
    """Let the wall clock of this node be wrong."""
    now = SystemClock.now

    def shifted(self: SystemClock) -> datetime:
        return now(self) + by

    SystemClock.now = shifted  # type: ignore[method-assign]


if __name__ == "__main__":
    die_with_parent()
    if ENDLESS_PATIENCE in os.environ:
        gain_patience()
    else:
        lose_patience()
    if SABOTAGE in os.environ:
        commit_sabotage(Sabotage(os.environ[SABOTAGE]))
    shift_clock(timedelta(seconds=float(os.environ.get(CLOCK_SHIFT, "0"))))
    if VARIABLE in os.environ:
        hang_doors(Gatekeeper(OrderBook(Path(os.environ[VARIABLE]))))
    main()
