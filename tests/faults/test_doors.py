"""Every door of the code has its failpoint: found in the source, hung at run time, and called by the same name."""

import ast
from pathlib import Path

from tests.faults.failpoints import hinges
from tests.faults.failpoints.door import SOURCE, catalogue, doors_of
from tests.faults.failpoints.order import Action, Order
from tests.faults.harness.cluster import Cluster
from tests.faults.provocations import PROVOCATIONS
from tests.faults.test_apis_that_die import REQUESTS

BELOW = {str(path.relative_to(SOURCE)) for path in SOURCE.glob("db/driver*.py")} | {"db/connections.py"}
"""What the metastore itself stands on."""
IN_TASKS = {"operators/services/sql_hook.py"}
"""What runs in a task's process, on a database of the user's."""


def test_nothing_is_committed_but_through_a_door() -> None:
    calls = [
        (path.relative_to(SOURCE), node.func.attr)
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]

    assert {str(path) for path, name in calls if name == "_begun"} == {"db/metastore.py"}
    assert {str(path) for path, name in calls if name == "commit"} - BELOW - IN_TASKS == {"db/metastore.py"}


def test_every_backend_that_exists_has_its_doors() -> None:
    assert {one.__module__.split(".")[2] for one in hinges.BACKENDS} == {"amqp", "database", "sqs"}
    assert len(hinges.SUBSCRIPTIONS) == len(hinges.BACKENDS)


def test_each_door_has_one_name_and_each_agent_has_doors() -> None:
    names = [door.name for door in catalogue()]
    agents = {Path(path).stem for path in SOURCE.glob("roles/scheduler/*.py") if ".transaction(" in path.read_text()}

    assert len(names) == len(set(names))
    assert agents == {name.partition(".")[0] for name in doors_of("scheduler")}


def test_somebody_knows_how_to_bring_a_node_to_each_door() -> None:
    wanted = {name for role in ("scheduler", "worker") for name in doors_of(role)}

    assert {name for name in wanted if not any(name.startswith(agent) for agent in PROVOCATIONS)} == set()


def test_somebody_knows_a_request_that_brings_an_api_to_each_door() -> None:
    wanted = set(doors_of("api"))

    assert {name for name in wanted if not name.startswith((*REQUESTS, "trigger_run."))} == set()


def test_a_node_knows_its_doors_by_the_names_of_the_catalogue(cluster: Cluster) -> None:
    known = {door.name for door in catalogue()}

    passed = {name for member in cluster.members.values() for name in member.book.passed}

    assert passed, "no node has come through any door"
    assert passed <= known


def test_orders_are_read_as_they_were_written(cluster: Cluster) -> None:
    book = cluster["master1"].book
    order = Order(door="nowhere.commit", action=Action.DELAY, seconds=0.5, every=3)

    book.write([order])

    assert book.read() == [order]
    book.write([])
