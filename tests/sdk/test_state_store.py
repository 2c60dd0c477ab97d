"""`task_state_store` and `asset_state_store`, over a real socket, by name and by [asset], blocking and awaited."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.sdk.assets import Asset
from flowd.sdk.state_store import NEVER_EXPIRE, AssetStateStores, TaskStateStore
from flowd.sdk.supervisor import supervised_by
from tests.support.task_server import TaskServer

ORDERS, ITEMS = Asset("orders", "s3://orders"), Asset("items")
MOMENT = datetime(2026, 1, 31, tzinfo=UTC)


def asked(server: TaskServer) -> list[dict[str, Any]]:
    return [{name: value for name, value in request.items() if name != "n"} for request in server.requests]


def test_a_value_is_kept_read_and_deleted() -> None:
    found = {"found": True, "value": {"__flowd__": "datetime", "value": MOMENT.isoformat()}}
    missing = {"found": False, "value": None}
    server = TaskServer(answers={"task_state_get": [found, missing], "task_state_set": [{}], "task_state_delete": [{}]})
    store = TaskStateStore()
    with server.channel() as channel, supervised_by(channel):
        store.set("at", MOMENT, retention=timedelta(minutes=1))
        store.set("for ever", 1, retention=NEVER_EXPIRE)
        read = [store.get("at"), store.get("nothing", default=7)]
        store.delete("at")
        store.clear()

    assert read == [MOMENT, 7]
    assert asked(server) == [
        {"op": "task_state_set", "key": "at", "value": found["value"], "retention": 60.0},
        {"op": "task_state_set", "key": "for ever", "value": 1, "retention": None},
        {"op": "task_state_get", "key": "at"},
        {"op": "task_state_get", "key": "nothing"},
        {"op": "task_state_delete", "key": "at"},
        {"op": "task_state_delete", "key": None},
    ]


def test_the_same_is_awaited() -> None:
    server = TaskServer(
        answers={
            "asset_state_get": [{"found": True, "value": 3}],
            "asset_state_set": [{}],
            "asset_state_delete": [{}],
            "task_state_set": [{}],
        }
    )

    async def use() -> Any:
        store = AssetStateStores([ORDERS], [])["s3://orders"]
        await TaskStateStore().aset("n", 1)
        await store.aset("n", 3)
        read = await store.aget("n")
        await store.adelete("n")
        await store.aclear()
        return read

    with server.channel() as channel, supervised_by(channel):
        assert asyncio.run(use()) == 3

    assert [one["op"] for one in asked(server)] == [
        "task_state_set", "asset_state_set", "asset_state_get", "asset_state_delete", "asset_state_delete",
    ]  # fmt: skip
    assert asked(server)[1] == {"op": "asset_state_set", "asset": "orders", "key": "n", "value": 3}


def test_the_only_asset_need_not_be_named_and_one_of_several_must() -> None:
    server = TaskServer(answers={"asset_state_get": [{"found": False, "value": None}], "asset_state_set": [{}]})
    with server.channel() as channel, supervised_by(channel):
        only = AssetStateStores([ORDERS], [ORDERS])
        assert only.get("n", 5) == 5
        only.set("n", 1)
        with pytest.raises(ValueError, match="this task has 2 assets; say which"):
            AssetStateStores([ORDERS], [ITEMS]).get("n")

    assert {one["asset"] for one in asked(server)} == {"orders"}


def test_an_asset_that_the_task_has_not_is_refused() -> None:
    with pytest.raises(KeyError, match=r"neither inlet nor outlet of this task; write inlets=\["):
        AssetStateStores([ORDERS], [])[ITEMS]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda store: store.set("n", None), r"None cannot be kept under .n.*use delete\('n'\)"),
        (lambda store: store.set("", 1), "1 to 500 characters; this has 0"),
        (lambda store: store.get("x" * 501), "1 to 500 characters; this has 501"),
        (lambda store: store.set("n", 1, retention=timedelta(0)), "retention is 0:00:00; wanted more than nothing"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_it_is_sent(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(TaskStateStore())
