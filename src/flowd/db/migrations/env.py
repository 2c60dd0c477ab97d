"""What alembic runs: the revisions, over the connection and inside the transaction that flowd.db.migrate gives."""

from alembic import context

from flowd.db.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
