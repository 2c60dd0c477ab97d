"""Logs of tries, in every form that clients ask for."""

import json
import tracemalloc
from pathlib import Path

import pytest

from flowd.logs.paths import log_path
from flowd.logs.reader import WINDOW_BYTES
from tests.api.cluster import Cluster

LOGS = "/api/v2/dags/etl/dagRuns/one/taskInstances/extract/logs"
LINES = b"2026-01-01T12:00:00.000001Z o hello\n2026-01-01T12:00:01.000000Z e oh no\n"


def path_of(cluster: Cluster, number: int = 1) -> Path:
    path = log_path(cluster.settings.logs.folder, "etl", "one", "extract", -1, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
async def ended(cluster: Cluster) -> Cluster:
    """A cluster where the first try of `extract` has ended and left LINES."""
    instances = await cluster.start(await cluster.trigger())
    await cluster.succeed(instances["extract"])
    path_of(cluster).write_bytes(LINES)
    return cluster


async def test_a_log_is_a_list_of_structured_lines(ended: Cluster) -> None:
    log = await ended.get(f"{LOGS}/1")

    assert log == {
        "content": [
            {"timestamp": "2026-01-01T12:00:00.000001Z", "event": "hello", "stream": "stdout"},
            {"timestamp": "2026-01-01T12:00:01Z", "event": "oh no", "stream": "stderr"},
        ],
        "continuation_token": None,
    }
    assert await ended.get(f"{LOGS}/1", full_content=True) == log


async def test_a_log_is_text_or_lines_of_json_where_the_client_asks_for_that(ended: Cluster) -> None:
    text = await ended.viewer.get(f"{LOGS}/1", headers={"Accept": "text/plain"})
    lines = await ended.viewer.get(f"{LOGS}/1", headers={"Accept": "application/x-ndjson"})

    assert text.text == "[2026-01-01T12:00:00.000001+00:00] hello\n[2026-01-01T12:00:01+00:00] oh no\n"
    assert [json.loads(line)["event"] for line in lines.text.splitlines()] == ["hello", "oh no"]


async def test_the_log_of_a_running_try_goes_on_from_its_token(cluster: Cluster) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.claim(instances["extract"])
    early = await cluster.get(f"{LOGS}/1")
    path = path_of(cluster)
    path.write_bytes(LINES[:36])

    first = await cluster.get(f"{LOGS}/1", token=early["continuation_token"])
    path.write_bytes(LINES)
    second = await cluster.get(f"{LOGS}/1", token=first["continuation_token"])

    assert early["content"][0]["event"].startswith("no log is at extract~1.log of this try on this node")
    assert [line["event"] for line in first["content"]] == ["hello"]
    assert [line["event"] for line in second["content"]] == ["oh no"]
    assert second["continuation_token"] == str(len(LINES))


@pytest.mark.parametrize("token", ["x", "-1", "1" * 30, "٣"])
async def test_a_token_that_is_none_is_422(ended: Cluster, token: str) -> None:
    answer = await ended.get(f"{LOGS}/1", 422, token=token)

    assert answer["detail"][0]["loc"] == ["query", "token"]


async def test_a_try_that_never_was_is_404(ended: Cluster) -> None:
    await ended.get(f"{LOGS}/2", 404)


async def test_a_log_of_a_gigabyte_is_read_a_window_at_a_time(ended: Cluster) -> None:
    with path_of(ended).open("ab") as file:
        file.truncate(1024**3)
        file.seek(1024**3)
        file.write(b"\n" + LINES)

    tracemalloc.start()
    try:
        first = await ended.get(f"{LOGS}/1")
        last = await ended.get(f"{LOGS}/1", token=str(1024**3 + 1))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert first["content"][0]["event"] == "hello"
    assert [line["event"] for line in last["content"]] == ["hello", "oh no"]
    assert last["continuation_token"] is None
    assert peak_bytes < 40 * WINDOW_BYTES
