"""The names of variables and connections, filtered, ordered and paged; their values stay sealed here."""

from flowd.db.tables import connection, variable
from flowd.db.transaction import Transaction
from flowd.db.views.listing import Field, Listing, Order, View, count, page

VARIABLES = View(
    columns=(variable.c.name,),
    source=variable,
    fields={
        "key": Field(variable.c.name, pattern_name="variable_key"),
        "id": Field(variable.c.name),
        "description": Field(variable.c.description),
    },
    key=variable.c.name,
    dag=None,
    order_by=(Order("key"),),
)
CONNECTIONS = View(
    columns=(connection.c.conn_id.label("name"),),
    source=connection,
    fields={
        "connection_id": Field(connection.c.conn_id),
        "conn_id": Field(connection.c.conn_id),
        "id": Field(connection.c.conn_id),
        "conn_type": Field(connection.c.conn_type),
    },
    key=connection.c.conn_id,
    dag=None,
    order_by=(Order("connection_id"),),
)


async def names_of(tx: Transaction, view: View, listing: Listing) -> tuple[list[str], int]:
    """Return a page of the names in VARIABLES or CONNECTIONS, and how many there are."""
    return [row["name"] for row in await page(tx, view, listing)], await count(tx, view, listing)
