"""reparse_file: a DAG file is to be parsed again, changed or not."""

from flowd.actions.backends import Backends
from flowd.db import dags, parse_requests
from flowd.db.views.sight import hidden_dags
from flowd.domain.errors import NotFound


async def reparse_file(backends: Backends, file: str) -> None:
    """Ask for the file to be parsed again, by the scheduler that looks at its folder first.

    One of a pushed bundle is parsed when it is pushed, and not again. Raises NotFound for a file of the DAG folder that
    no DAG and no import error is of, or that has a DAG which may not be seen.
    """
    async with backends.metastore.transaction() as tx:
        hidden = await hidden_dags(tx)
        if not hidden.isdisjoint(await dags.of_file(tx, file)) or not await parse_requests.ask(tx, file):
            raise NotFound(f"File {file!r} not found: no DAG of the DAG folder and no import error is of it")
        tx.tell(f"file {file}", {}, {"is_to_be_parsed": True})
