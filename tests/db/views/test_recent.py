"""Runs by parts of their ids."""

from unittest.mock import patch

from flowd.db.views import recent
from flowd.db.views.recent import runs_with
from tests.api.cluster import Cluster
from tests.api.conftest import either

__all__ = ["either"]


async def found(cluster: Cluster, text: str, most: int = 8) -> list[str]:
    async with cluster.metastore.reading() as tx:
        return [run.run_id for run in await runs_with(tx, text, most=most)]


async def test_runs_are_found_by_words_of_their_ids_and_their_dags(either: Cluster) -> None:
    for run_id in ("manual__one", "manual__Two", "nightly_~x"):
        await either.trigger(run_id=run_id)

    assert await found(either, "manual__") == ["manual__Two", "manual__one"]
    assert await found(either, "TWO etl") == ["manual__Two"]
    assert await found(either, "y_~") == ["nightly_~x"]
    assert await found(either, "%") == [], "no wildcard"
    assert await found(either, "manual__", most=1) == ["manual__Two"]
    assert await found(either, "sales one") == []


async def test_an_old_run_is_found_by_its_whole_id_alone(either: Cluster) -> None:
    for run_id in ("Old", "new"):
        await either.trigger(run_id=run_id)

    with patch.object(recent, "SEARCHED_RUNS", 1):
        assert await found(either, "ol") == []
        assert await found(either, " Old ") == ["Old"]
        assert await found(either, "new") == ["new"]
