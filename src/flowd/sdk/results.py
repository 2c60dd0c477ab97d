"""Results: what a task of this run returned, item by item, so that nobody carries all of it to read one."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from flowd.sdk.exceptions import XComNotFound
from flowd.sdk.lazy_sequence import LazySequence
from flowd.sdk.supervisor import ask
from flowd.sdk.xcom_json import from_json

PAGE = 200
"""How many items are asked for at a time by who reads them all."""


class Results(LazySequence):
    """The items of the list or dict that a task returned; of a mapped task, what its instances pushed under `key`.

    The items of a dict are `(key, value)` tuples.
    """

    def __init__(self, task_id: str, *, key: str, is_mapped: bool) -> None:
        self._task_id = task_id
        self._key = key
        self._is_mapped = is_mapped
        self._read: tuple[Any, list[Any]] | None = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        start = 0
        while items := self._page(start, PAGE):
            yield from items
            start += len(items)

    def at(self, index: int) -> Any:
        """Return one item."""
        items = self._page(index, 1)
        if not items:
            raise IndexError(f"task {self._task_id!r} has {len(self)} items, and none at {index}")
        return items[0]

    @cached_property
    def _length(self) -> int:
        length = ask("xcom_length", task_id=self._task_id, key=self._key, is_mapped=self._is_mapped)["length"]
        if length is None:
            raise XComNotFound(f"task {self._task_id!r} returned no list or dict in this run: there are no items of it")
        return int(length)

    def _page(self, start: int, count: int) -> list[Any]:
        answer = ask(
            "xcom_items", task_id=self._task_id, key=self._key, is_mapped=self._is_mapped, start=start, count=count
        )
        if answer["reference"] is not None:
            return self._fetched(answer["reference"])[start : start + count]
        items = [from_json(item) for item in answer["items"]]
        return [tuple(item) for item in items] if answer["is_dict"] else items

    def _fetched(self, reference: Any) -> list[Any]:
        """Return the items of a value that is stored by itself, read once: no part of it can be asked for."""
        if self._read is None or self._read[0] != reference:
            value = from_json(reference)
            self._read = (reference, list(value.items() if isinstance(value, Mapping) else value))
        return self._read[1]
