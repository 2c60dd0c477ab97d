"""scheduler_lock: of the nodes that share a SQLite file, one schedules."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowd.db.metastore import Metastore
from flowd.domain.errors import InvalidSettings


@contextmanager
def scheduler_lock(metastore: Metastore) -> Iterator[None]:
    """Hold the scheduler role of an embedded metastore; a server database needs no such lock.

    Raises InvalidSettings where another process holds it. The lock goes with the process, however that ends.
    """
    path = metastore.url.database
    if not metastore.is_embedded or not path:
        yield
        return
    file = os.open(Path(f"{path}.scheduler"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidSettings(
                f"another process schedules on {path} already: SQLite takes one scheduler; stop the other, give this"
                " node --roles api,worker, or use PostgreSQL, which takes any number"
            ) from error
        yield
    finally:
        os.close(file)
