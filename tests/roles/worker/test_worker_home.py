"""WorkerHome: one living owner a folder, and no two workers of one name."""

import json
import os
from pathlib import Path

import pytest

from flowd.roles.worker.worker_home import IDENTITY, Estate, abandoned, homes_of, worker_home


def test_two_workers_never_share_a_folder_or_a_name(tmp_path: Path) -> None:
    with worker_home(tmp_path, "w") as first, worker_home(tmp_path, "w") as second:
        assert (first.folder.name, second.folder.name) == ("0", "1")


def test_no_name_comes_twice_though_process_and_boot_are_the_same(tmp_path: Path) -> None:
    # As in two containers, where every worker is process 1 of the same boot.
    with worker_home(tmp_path / "a", "w") as first, worker_home(tmp_path / "b", "w") as second:
        assert first.name != second.name
        assert first.name.startswith(f"w/{os.getpid()}-")


def test_the_next_owner_learns_whose_place_it_takes(tmp_path: Path) -> None:
    with worker_home(tmp_path, "w") as first:
        assert first.estate.owner is None
    with worker_home(tmp_path, "w") as second:
        assert second.estate == Estate(folder=first.folder, owner=first.name, is_same_boot=True)


def test_a_node_that_runs_no_tasks_never_takes_the_place_of_a_dead_worker(tmp_path: Path) -> None:
    with worker_home(homes_of(tmp_path, ["worker", "api"]), "w") as dead:
        pass
    with worker_home(homes_of(tmp_path, ["api", "scheduler"]), "w") as other:
        assert other.estate.owner is None
    with worker_home(homes_of(tmp_path, ["worker"]), "w") as heir:
        assert heir.estate.owner == dead.name


def test_folders_without_a_living_owner_are_abandoned(tmp_path: Path) -> None:
    with worker_home(tmp_path, "w"), worker_home(tmp_path, "w") as dead:
        pass
    with worker_home(tmp_path, "w") as mine:
        with abandoned(mine) as estates:
            assert [(one.folder, one.owner) for one in estates] == [(dead.folder, dead.name)]
            estates[0].settle()
        with abandoned(mine) as estates:
            assert estates == []


def test_a_folder_with_a_living_owner_is_left_alone(tmp_path: Path) -> None:
    with worker_home(tmp_path, "w") as mine, worker_home(tmp_path, "w"), abandoned(mine) as estates:
        assert estates == []


def test_an_abandoned_folder_is_nobody_elses_meanwhile(tmp_path: Path) -> None:
    with worker_home(tmp_path, "w"), worker_home(tmp_path, "w"):
        pass
    with worker_home(tmp_path, "w") as mine, abandoned(mine), worker_home(tmp_path, "w") as newcomer:
        assert newcomer.folder.name == "2"


@pytest.mark.parametrize("identity", ["{", "[]", json.dumps({"name": "w/1-a", "host": "elsewhere", "boot": "b"})])
def test_nothing_is_known_of_an_owner_on_another_host(tmp_path: Path, identity: str) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / IDENTITY).write_text(identity)

    with worker_home(tmp_path, "w") as home:
        assert (home.estate.owner, home.estate.is_same_boot) == (None, False)
