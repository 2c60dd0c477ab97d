"""ReturnedItems: the items of what tasks returned, parsed once for all the instances that are mapped over them."""

import json
from collections import OrderedDict

from flowd.db import xcoms
from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, RunId

MOST_CHARACTERS = 4 * 1024 * 1024
"""How much JSON the kept results may come to, as text; parsed it takes some ten times as many bytes."""


class ReturnedItems:
    """Keeps the results that were last asked for. One that was replaced in the metastore is another one."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most_characters = most_characters
        self._kept: OrderedDict[xcoms.Stamp, tuple[xcoms.Items, int]] = OrderedDict()
        self._characters = 0

    async def page(
        self, tx: Transaction, *, dag_id: DagId, run_id: RunId, task_id: str, name: str, start: int, count: int
    ) -> xcoms.Items:
        """Return `count` items from `start` on of a task's value; there may be fewer, or none. It is not mapped."""
        stamp = await xcoms.stamp(tx, dag_id=dag_id, run_id=run_id, task_id=task_id, name=name)
        if stamp is None:
            return xcoms.Items([], False)
        if stamp in self._kept:
            self._kept.move_to_end(stamp)
            items = self._kept[stamp][0]
        else:
            text = await xcoms.text_of(tx, stamp)
            items = xcoms.Items.of(json.loads(text))
            self._keep(stamp, items, len(text))
        return items.page(start, count)

    def _keep(self, stamp: xcoms.Stamp, items: xcoms.Items, characters: int) -> None:
        # Others may have asked for the same value while this one was read.
        if characters > self._most_characters or stamp in self._kept:
            return
        self._kept[stamp] = (items, characters)
        self._characters += characters
        while self._characters > self._most_characters:
            _, (_, gone) = self._kept.popitem(last=False)
            self._characters -= gone
