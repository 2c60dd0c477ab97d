"""set_favorite: somebody wants a DAG among their favourites, or no longer."""

from flowd.actions.backends import Backends
from flowd.db import favorites
from flowd.db.ledger import restart
from flowd.domain.errors import Conflict, NotFound
from flowd.domain.ids import DagId


async def set_favorite(backends: Backends, dag_id: DagId, username: str, is_wanted: bool) -> None:
    """Make the DAG a favourite of this user, or none.

    Raises NotFound for an unknown DAG or a user without an account, Conflict where one that is to be none is none.
    """
    async with backends.metastore.transaction() as tx:
        if not await restart.is_known(tx, dag_id):
            raise NotFound(f"The Dag with ID: `{dag_id}` was not found")
        before = await favorites.is_favorite(tx, username, dag_id)
        if is_wanted:
            if not await favorites.is_kept_for(tx, username):
                raise NotFound(f"favourites are kept for who may log in, and there is no user {username!r}")
            await favorites.mark(tx, username, dag_id)
        elif not await favorites.unmark(tx, username, dag_id):
            raise Conflict(f"Dag with id '{dag_id}' is not marked as favorite")
        tx.tell(f"favourite {dag_id} of {username}", {"is_favorite": before}, {"is_favorite": is_wanted})
