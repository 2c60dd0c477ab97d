"""DAG files that do harm: each is an import error, and everything else goes on."""

from pathlib import Path

import psutil
import pytest

from tests.faults.bombs import BOMBS, HEADER, HEAVY_BYTES
from tests.faults.conftest import StartTrial
from tests.faults.harness.cluster import Cluster
from tests.support.node_process import eventually

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


def test_bombs_are_import_errors_and_the_work_goes_on(cluster: Cluster, trial: StartTrial) -> None:
    def shown() -> set[str]:
        errors = cluster.api.get("/api/v2/importErrors", limit=100)["import_errors"]
        return {Path(error["filename"]).stem for error in errors}

    with trial("ten DAG files that do harm") as it:
        for name, text in BOMBS.items():
            (cluster.dags / f"bomb_{name}.py").write_text(HEADER + text)
            it.note(f"DAG file: {name}")
        it.trigger(8)
        eventually(lambda: shown() >= {f"bomb_{name}" for name in BOMBS}, "every bomb to be an import error", 90)
        for name in BOMBS:
            (cluster.dags / f"bomb_{name}.py").unlink()
        eventually(lambda: not shown(), "the import errors to go with the files")

    assert not _left_behind(cluster), "a process outlived the parsing of its file"
    assert all(member.process.is_running for member in cluster.members.values())


def test_a_file_of_a_hundred_megabytes_keeps_nothing_from_running(cluster: Cluster, trial: StartTrial) -> None:
    heavy = cluster.dags / "heavy.py"
    with trial("a DAG file of 100 MB") as it:
        it.on_heal(lambda: heavy.unlink(missing_ok=True))
        with open(heavy, "wb") as file:
            file.write(HEADER.encode() + b"# ")
            file.truncate(HEAVY_BYTES)
        it.note("DAG file of 100 MB")
        eventually(lambda: cluster.api.get("/api/v2/importErrors")["total_entries"], "an import error", 60)
        it.trigger(6)
        it.await_progress(12)


def _left_behind(cluster: Cluster) -> list[psutil.Process]:
    """Return the processes of the schedulers' own sessions that are not among those they answer for."""
    masters = [psutil.Process(cluster[name].process.process.pid) for name in ("master1", "master2")]  # type: ignore[union-attr]
    return [
        child for master in masters for child in master.children(recursive=True) if "parse" in " ".join(child.cmdline())
    ]
