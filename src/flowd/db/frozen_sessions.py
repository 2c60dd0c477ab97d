"""Sessions of nodes that froze in the middle of a statement: a server ends by itself only those that are idle.

A first use of a statement takes two messages: it is prepared, then run. PostgreSQL calls a session whose client stops
between them active, waits for the second message for ever, and keeps every lock the transaction has.
"""

from flowd.db import engine
from flowd.db.transaction import Transaction

_END = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND application_name = 'flowd'"
    " AND state = 'active' AND wait_event_type = 'Client'"
    " AND state_change < clock_timestamp() - :seconds * INTERVAL '1 second'"
)


async def end_frozen_sessions(tx: Transaction) -> int:
    """End the sessions of PostgreSQL that have waited for their node for a minute, amid a statement; say how many.

    What they had not committed is undone, and their locks are free. Their nodes, should they wake, find a broken
    connection, as after any other loss of the server.
    """
    seconds = engine.IDLE_IN_TRANSACTION_SECONDS
    return int((await tx.execute(_END, {"seconds": seconds})).scalar_one())
