"""An open page hears what happens elsewhere: a worker's process changes a task, another node's stream tells of it."""

import threading
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import ADMIN_PASSWORD, NodeProcess, eventually

SEEN_SECONDS = 1.0


class OpenPage:
    """The stream of a page that shows one DAG, as a browser has it open: when it was told of changes."""

    def __init__(self, node: NodeProcess, dag_id: str) -> None:
        self.told_at: list[float] = []
        self.is_open = threading.Event()
        self._client = httpx.Client(base_url=node.url, timeout=30)
        form = {"username": "admin", "password": ADMIN_PASSWORD}
        assert self._client.post("/login", data=form).status_code == 303
        self._thread = threading.Thread(target=self._listen, args=(dag_id,), daemon=True)
        self._thread.start()

    def _listen(self, dag_id: str) -> None:
        try:
            with self._client.stream("GET", "/ui/events", params={"of": dag_id}) as answer:
                for line in answer.iter_lines():
                    self.is_open.set()
                    if line == "event: changed":
                        self.told_at.append(time.time())
        except httpx.HTTPError:
            return  # the node has ended, and the stream with it


@pytest.mark.timeout(300)
def test_a_page_of_master2_hears_within_a_second_what_worker2_has_done(
    make_node: MakeNode, shared: dict[str, str], journal: Path
) -> None:
    master1 = make_node("master1", "api,scheduler", **shared)
    master2 = make_node("master2", "api", **shared)
    make_node("worker2", "worker", **shared)
    run = master1.trigger("waiting")
    task = f"/api/v2/dags/waiting/dagRuns/{run}/taskInstances/wait"
    eventually(lambda: master1.get(task)["state"] == "running", "the task to run on worker2")
    page = OpenPage(master2, "waiting")
    assert page.is_open.wait(30)

    Path(f"{journal}.go").touch()

    eventually(lambda: master1.get(task)["state"] == "success", "the task to end")
    ended_at = datetime.fromisoformat(master1.get(task)["end_date"]).timestamp()
    eventually(lambda: any(at >= ended_at for at in page.told_at), "the page to be told")
    waited = min(at for at in page.told_at if at >= ended_at) - ended_at
    assert waited <= SEEN_SECONDS, f"the page was told {waited:.2f} s after the task had ended"
