"""The kerberos role on real nodes: a ticket that is always good, and tasks that have it."""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.kdc import REALM, Kdc
from tests.support.node_process import NodeProcess, eventually

PRINCIPAL = f"flowd/worker1@{REALM}"
LIFE_SECONDS = 10
RENEWED = "kerberos ticket renewed"
NOT_READY = (503, {"kerberos": "not ready yet"})
SAMPLE = f'flowd_kerberos_ticket_seconds{{principal="{PRINCIPAL}"}} '
SHOW = """\
klist -s && echo "$KRB5CCNAME $(stat -c '%U %a' "${KRB5CCNAME#FILE:}") $(klist | sed -n 's/^Default principal: //p')"
"""
DAG = """\
from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("tickets", schedule=None):
    BashOperator(task_id="mine", bash_command=SHOW)
"""
ANOTHER_USERS = """\
    BashOperator(task_id="nobodys", bash_command=SHOW + "kdestroy", run_as_user="nobody") >> BashOperator(
        task_id="later", bash_command=SHOW
    )
"""


@pytest.fixture
def kdc() -> Iterator[Kdc]:
    """A realm."""
    with Kdc.running() as kdc:
        yield kdc


@pytest.fixture
def brief_kdc() -> Iterator[Kdc]:
    """A realm whose tickets are soon over."""
    with Kdc.running(life_seconds=LIFE_SECONDS) as kdc:
        yield kdc


def settings(kdc: Kdc) -> dict[str, str]:
    """What a node of the realm is told."""
    return {
        "FLOWD__KERBEROS__PRINCIPAL": PRINCIPAL,
        "FLOWD__KERBEROS__KEYTAB": str(kdc.add("flowd/worker1")),
        **kdc.environ,
    }


def events(node: NodeProcess, event: str) -> list[dict[str, Any]]:
    """The lines of the node's log that tell of it."""
    lines = (json.loads(line) for line in node.log.splitlines() if line.startswith("{") and line.endswith("}"))
    return [line for line in lines if line["event"] == event]


def readiness(node: NodeProcess) -> tuple[int, dict[str, str]] | None:
    """What the node answers a load balancer; None where it does not answer yet."""
    try:
        answer = httpx.get(f"{node.url}/readyz", timeout=60)
    except httpx.TransportError:
        return None
    return answer.status_code, answer.json()["problems"]


def test_a_ticket_is_renewed_before_it_ends_and_again_once_the_kdc_is_back(brief_kdc: Kdc, make_node: MakeNode) -> None:
    node = make_node("alone", "api,kerberos", **settings(brief_kdc))

    eventually(lambda: len(events(node, RENEWED)) > 2, "the ticket to be renewed twice")
    text = node.request("GET", "/metrics").text
    brief_kdc.stop()
    eventually(lambda: readiness(node) == NOT_READY, "the ticket to end without a KDC")
    renewals = events(node, RENEWED)
    brief_kdc.start()
    eventually(lambda: readiness(node) == (200, {}), "a ticket once the KDC is back")

    for before, after in pairwise(renewals):
        assert datetime.fromisoformat(after["timestamp"]) < datetime.fromisoformat(before["until"])
        assert datetime.fromisoformat(after["until"]) > datetime.fromisoformat(before["until"])
    (left,) = [float(line.removeprefix(SAMPLE)) for line in text.splitlines() if line.startswith(SAMPLE)]
    assert 0 < left <= LIFE_SECONDS
    told, *_ = events(node, "waiting for a backend")
    assert told["agent"] == "TicketRenewer" and "Cannot contact any KDC" in told["error"]
    assert len(events(node, "the backend is back")) == 1


def test_tasks_see_the_ticket_and_one_of_another_user_has_its_own(
    kdc: Kdc, make_node: MakeNode, tmp_path: Path
) -> None:
    is_root = os.geteuid() == 0
    (tmp_path / "dags").mkdir()
    source = f"SHOW = {SHOW!r}\n{DAG}{ANOTHER_USERS if is_root else ''}"
    (tmp_path / "dags" / "tickets.py").write_text(source)
    node = make_node(
        "alone", "api,scheduler,worker,kerberos", FLOWD__DAGS__FOLDER=str(tmp_path / "dags"), **settings(kdc)
    )
    eventually(lambda: node.request("GET", "/api/v2/dags/tickets").is_success, "the DAG to be read")

    run = node.trigger("tickets")
    eventually(lambda: node.run_state("tickets", run) in ("success", "failed"), "the run to end")

    def printed(task: str) -> str:
        entries = f"/api/v2/dags/tickets/dagRuns/{run}/taskInstances/{task}/xcomEntries"
        return str(node.get(f"{entries}/return_value")["value"])

    shared = f"FILE:{tmp_path}/alone/krb5cc {tmp_path.owner()} 600 {PRINCIPAL}"
    assert printed("mine") == shared
    if not is_root:
        return
    own, *rest = printed("nobodys").split()
    assert rest == ["nobody", "600", PRINCIPAL]
    assert printed("later") == shared, "what it destroyed was its own"
    folder = Path(own.removeprefix("FILE:")).parent
    eventually(lambda: not folder.exists(), "the copy to be gone with its task")


def test_a_node_whose_keytab_has_another_key_says_so_once_a_minute_and_is_not_ready(kdc: Kdc, tmp_path: Path) -> None:
    node = NodeProcess(home=tmp_path / "node", roles="api,kerberos", environ=settings(kdc))
    kdc.administer("cpw -randkey flowd/worker1")

    node.launch()
    try:
        eventually(lambda: "no new kerberos ticket" in node.log, "the node to say that it has no ticket")
        found = eventually(lambda: readiness(node), "the API to answer")
        assert node.stop() == 0
    finally:
        node.destroy()

    assert found == NOT_READY
    (told,) = events(node, "no new kerberos ticket")
    assert "the key in the keytab is not the one that the KDC has" in told["error"]
    assert events(node, "ready") == []


def test_the_ticket_is_fetched_while_the_metastore_is_still_away(kdc: Kdc, tmp_path: Path) -> None:
    away = {"FLOWD__DATABASE__URL": "postgresql://flowd@127.0.0.1:1/flowd"}
    node = NodeProcess(home=tmp_path / "node", roles="kerberos", environ={**settings(kdc), **away})

    node.launch()
    try:
        eventually((tmp_path / "node" / "krb5cc").exists, "the ticket")
        assert node.stop() == 0
    finally:
        node.destroy()


def test_without_a_principal_a_node_with_the_role_does_not_start(tmp_path: Path) -> None:
    node = NodeProcess(home=tmp_path / "node", roles="kerberos", environ={})

    node.launch()

    assert node.process is not None and node.process.wait(120) == 78
    assert "FLOWD__KERBEROS__PRINCIPAL is not set" in node.log
