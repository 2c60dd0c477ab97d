"""`task_state_store` and `asset_state_store`: what a task remembers over its tries, and what is known of an asset."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from flowd.sdk.assets import Asset
from flowd.sdk.supervisor import ask
from flowd.sdk.xcom_json import from_json, to_json

NEVER_EXPIRE = timedelta.max
"""A retention without end."""

MOST_CHARACTERS = 500
"""A longer key is refused."""


class _Store:
    """Values by key, asked for at the node; each call has an async twin that leaves the event loop free meanwhile."""

    _kind: str

    def _scope(self) -> dict[str, Any]:
        return {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or the default where there is none or it has expired."""
        answer = ask(f"{self._kind}_get", key=_checked(key), **self._scope())
        return from_json(answer["value"]) if answer["found"] else default

    def delete(self, key: str) -> None:
        """Delete the value, where there is one."""
        ask(f"{self._kind}_delete", key=_checked(key), **self._scope())

    def clear(self) -> None:
        """Delete all values."""
        ask(f"{self._kind}_delete", key=None, **self._scope())

    async def aget(self, key: str, default: Any = None) -> Any:
        """As `get`."""
        return await _in_thread(self.get, key, default)

    async def adelete(self, key: str) -> None:
        """As `delete`."""
        await _in_thread(self.delete, key)

    async def aclear(self) -> None:
        """As `clear`."""
        await _in_thread(self.clear)


class TaskStateStore(_Store):
    """What this task instance keeps for its later tries; it goes with its run."""

    _kind = "task_state"

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Keep a JSON value, or what an XCom can hold, under this key; without a retention as long as the run is kept.

        Raises ValueError for None and for a retention that is over at once, TypeError as an XCom does.
        """
        lasts = None if retention in (None, NEVER_EXPIRE) else _seconds(retention)
        ask("task_state_set", key=_checked(key), value=to_json(_given(key, value)), retention=lasts)

    async def aset(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """As `set`."""
        await _in_thread(self.set, key, value, retention=retention)


class AssetStateStore(_Store):
    """What is known of one asset; it outlives runs."""

    _kind = "asset_state"

    def __init__(self, asset: Asset) -> None:
        self._asset = asset

    def _scope(self) -> dict[str, Any]:
        return {"asset": self._asset.name}

    def set(self, key: str, value: Any) -> None:
        """Keep a JSON value, or what an XCom can hold, under this key; raise ValueError for None."""
        ask("asset_state_set", key=_checked(key), value=to_json(_given(key, value)), **self._scope())

    async def aset(self, key: str, value: Any) -> None:
        """As `set`."""
        await _in_thread(self.set, key, value)


class AssetStateStores(Mapping[Any, AssetStateStore]):
    """`asset_state_store[asset]` for inlets and outlets of the task; of a task that has but one, also without []."""

    def __init__(self, inlets: Sequence[Any], outlets: Sequence[Any]) -> None:
        assets = {one.name: one for one in (*inlets, *outlets) if isinstance(one, Asset)}
        self._stores = {asset: AssetStateStore(asset) for asset in assets.values()}

    def __getitem__(self, key: Any) -> AssetStateStore:
        for asset, store in self._stores.items():
            if key == asset or (isinstance(key, str) and key in (asset.name, asset.uri)):
                return store
        raise KeyError(f"{key!r} is neither inlet nor outlet of this task; write inlets=[{key!r}] at the task")

    def __iter__(self) -> Iterator[Any]:
        return iter(self._stores)

    def __len__(self) -> int:
        return len(self._stores)

    def __getattr__(self, name: str) -> Any:
        if name not in ("set", "delete", "clear", "aget", "aset", "adelete", "aclear"):
            raise AttributeError(name)
        return getattr(self._only(), name)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of this key of the one asset that the task has."""
        return self._only().get(key, default)

    def _only(self) -> AssetStateStore:
        if len(self._stores) != 1:
            raise ValueError(f"this task has {len(self._stores)} assets; say which: asset_state_store[asset]")
        return next(iter(self._stores.values()))


async def _in_thread(call: Callable[..., Any], *given: Any, **named: Any) -> Any:
    # Dear to load in each task's process, and loaded already where there is an event loop.
    import asyncio

    return await asyncio.to_thread(call, *given, **named)


def _checked(key: str) -> str:
    if not key or len(key) > MOST_CHARACTERS:
        raise ValueError(f"a key of state has 1 to {MOST_CHARACTERS} characters; this has {len(key)}")
    return key


def _given(key: str, value: Any) -> Any:
    if value is None:
        raise ValueError(f"None cannot be kept under {key!r}: it stands for nothing there; use delete({key!r})")
    return value


def _seconds(retention: timedelta | None) -> float:
    assert retention is not None
    if retention <= timedelta(0):
        raise ValueError(f"retention is {retention}; wanted more than nothing, or NEVER_EXPIRE")
    return retention.total_seconds()
