"""What a database's error means: try again later, or a bug; and how it is told without a password."""

import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError

from flowd.domain.errors import MetastoreUnavailable

_TRANSIENT_PG = {
    "25006",  # read-only: a primary that became a replica
    "25P03",  # idle in a transaction for too long
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # lock timeout
    "57014",  # statement cancelled
    "57P01",  # terminated by an administrator
    "57P02",  # crashed
    "57P03",  # starting up
}
_TRANSIENT_PG_CLASSES = ("08", "53")  # connections; disk, memory and connections that ran out
_TRANSIENT_MYSQL = {
    1020,  # a row changed since it was read
    1021,  # disk full
    1040,  # too many connections
    1053,  # shutting down
    1114,  # table full: no disk, or no memory
    1180,  # an error at COMMIT: nothing was written
    1203,  # too many connections of this user
    1205,  # lock wait timeout
    1213,  # deadlock
    1226,  # this user has used up what it is allowed within the hour
    1290,  # read-only: a primary that became a replica
    1317,  # statement killed
    1412,  # a table was changed since the snapshot was taken
    1836,  # read-only, as 1290
    1927,  # connection killed
    1969,  # MariaDB's max_statement_time
    2003,  # cannot connect
    2006,  # gone away
    2013,  # lost during the statement
    2014,  # out of step
    3101,  # group replication rolled it back: another primary was first
    4031,  # MySQL closed it for having been idle
}
_TRANSIENT_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class BrokenConnection(Exception):
    """A connection of no more use: an error of the network, no answer within the deadline, or a statement gone stale.

    Its cause is the driver's error.
    """


def is_transient(error: DBAPIError) -> bool:
    """True where the same transaction may succeed later: lost connections, deadlocks, lock waits, a busy file."""
    original: Any = error.orig
    sqlstate = sqlstate_of(original)
    sqlite_code = getattr(original, "sqlite_errorcode", None)
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    return (
        error.connection_invalidated
        or sqlstate in _TRANSIENT_PG
        or sqlstate.startswith(_TRANSIENT_PG_CLASSES)
        or (sqlite_code is not None and sqlite_code & 0xFF in _TRANSIENT_SQLITE)
        or (bool(arguments) and arguments[0] in _TRANSIENT_MYSQL)
    )


def sqlstate_of(error: Any) -> str:
    """Return the five characters by which PostgreSQL names the error, "" for an error that is not the server's."""
    return str(getattr(error, "sqlstate", None) or "")


def unavailable(name: str, error: BaseException) -> MetastoreUnavailable:
    """Return the error that tells callers to try again later; `name` is the metastore's, without its password."""
    return MetastoreUnavailable(f"the metastore {name} did not answer: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """Return the driver's error in one line."""
    original = getattr(error, "orig", None) or (error.__cause__ if isinstance(error, BrokenConnection) else error)
    lines = str(original).strip().splitlines()
    nothing_said = "no answer in time" if isinstance(original, TimeoutError) else "no details"
    return f"{type(original).__name__}: {lines[0] if lines else nothing_said}"
