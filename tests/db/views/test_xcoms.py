"""XComs as the API shows them."""

from flowd.db import xcoms
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.listing import Listing
from flowd.db.views.xcoms import get_xcom
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


async def test_half_a_character_is_shown_as_an_escape(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    key = (await site.instance(run, "a")).key
    async with site.metastore.transaction() as tx:
        await xcoms.push(tx, [(key, "n", {"caf\udce9": ["é", "\udcff", 1]})], await tx.now())

    async with site.metastore.reading() as tx:
        shown = await get_xcom(tx, DagCards(), Listing(), "n")

    assert shown.value == {"caf\\udce9": ["é", "\\udcff", 1]}
