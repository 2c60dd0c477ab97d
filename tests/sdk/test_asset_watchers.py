"""Watchers of assets as authors write them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flowd.domain.asset_watch import WatcherSpec
from flowd.domain.dag_spec import dag_from_json, dag_to_json
from flowd.domain.deferral import TriggerSpec
from flowd.domain.errors import InvalidDag
from flowd.domain.timetable import NullTimetable
from flowd.operators.triggers.file import FileTrigger
from flowd.operators.triggers.file_delete import DirectoryFileDeleteTrigger, FileDeleteTrigger
from flowd.sdk.asset_watchers import AssetWatcher
from flowd.sdk.assets import Asset, AssetOrTimeSchedule
from flowd.sdk.dag import DAG
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.serialize import serialize
from flowd.sdk.triggers import BaseEventTrigger, TriggerEvent


def watched(name: str, trigger: Any = None, *, by: str = "w") -> Asset:
    return Asset(name, watchers=[AssetWatcher(name=by, trigger=trigger or FileDeleteTrigger(f"/in/{name}"))])


def test_watchers_of_the_assets_in_a_schedule_are_the_dags_wherever_they_stand() -> None:
    a, b, c = (watched(name) for name in "abc")
    elsewhere = {"file": "d.py", "is_in_bundle": False}

    for schedule in (
        [c, b, a],
        a | (b & c),
        AssetOrTimeSchedule(timetable=NullTimetable(), assets=a & b & c),
        {a, b, c},
    ):
        spec = serialize(DAG("d", schedule=schedule), "d.py")

        assert dag_from_json(dag_to_json(spec)) == spec
        assert spec.watchers == tuple(
            WatcherSpec(
                asset=name,
                name="w",
                trigger=TriggerSpec(
                    classpath="airflow.providers.standard.triggers.file.FileDeleteTrigger",
                    kwargs={"filepath": f"/in/{name}", "poke_interval": 5.0},
                    **elsewhere,  # type: ignore[arg-type]
                ),
            )
            for name in "abc"
        )
    assert serialize(DAG("d", schedule=None), "d.py").watchers == ()


def test_a_trigger_of_the_dag_folder_is_known_as_one(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        "from airflow.sdk import DAG, Asset, AssetWatcher\n"
        "from airflow.triggers.base import BaseEventTrigger\n"
        "class Own(BaseEventTrigger):\n"
        "    def serialize(self): return f'{__name__}.Own', {}\n"
        "dag = DAG('d', schedule=Asset('a', watchers=[AssetWatcher('w', Own())]))\n"
    )

    (dag,) = load(str(tmp_path), "d.py")
    (watcher,) = serialize(dag, "d.py").watchers

    assert (watcher.trigger.file, watcher.trigger.is_in_bundle) == ("d.py", True)


def test_what_cannot_watch_is_refused_and_what_is_not_installed_warns() -> None:
    class Unstorable(BaseEventTrigger):
        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "own.Unstorable", {"it": object()}

    with pytest.raises(InvalidDag, match=r"asset watcher 'w': FileTrigger is a trigger for tasks"):
        watched("a", FileTrigger("/in"))
    with pytest.raises(InvalidDag, match=r"AssetWatcher: its name is ''"):
        watched("a", by="")
    with pytest.raises(InvalidDag, match=r"asset 'a': watcher 'w': .*object"):
        serialize(DAG("d", schedule=watched("a", Unstorable())), "d.py")
    with pytest.warns(DagWarning, match=r"asset 'a': watcher 'w' does not run: some.Trigger is not installed"):
        assert serialize(DAG("d", schedule=watched("a", "some.Trigger")), "d.py").watchers == ()


async def first(events: AsyncIterator[TriggerEvent]) -> Any:
    async for event in events:
        return event.payload


async def test_a_file_is_deleted_and_told_once(tmp_path: Path) -> None:
    path = tmp_path / "us.flag"
    one = DirectoryFileDeleteTrigger(directory=str(tmp_path), filename="us.flag", poke_interval=0.01)
    other = FileDeleteTrigger(str(path), poke_interval=0.01)

    for trigger, payload in ((one, {"filepath": str(path)}), (other, True)):
        path.touch()
        made = type(trigger)(**trigger.serialize()[1])
        assert await first(made.run()) == payload
        assert not path.exists()
