"""try_connection: somebody wants to know whether what a connection names answers."""

from flowd.actions.backends import Backends
from flowd.actions.connection_tester import ConnectionTester, Tested
from flowd.db.secrets_store import StoredConnection


async def try_connection(backends: Backends, tester: ConnectionTester, connection: StoredConnection) -> Tested:
    """Test the connection, which need not be stored, and say in the audit log that it was.

    Raises Unavailable where it could not be tested; then nothing is in the log.
    """
    tested = await tester.test(connection)
    async with backends.metastore.transaction() as tx:
        # As of stored ones nothing is told but the id and the type: the rest is sealed.
        told = {"conn_type": connection.conn_type, "is_ok": tested.is_ok}
        tx.tell(f"test of connection {connection.conn_id}", None, told)
    return tested
