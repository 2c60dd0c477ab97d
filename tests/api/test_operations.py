"""The reference of the REST API names every call of Airflow's client and of ours, and says what becomes of it."""

from flowd.api.access import ACCESS
from tests.api.airflow_operations import Verdict, beyond_airflow, documented, operations, without_types
from tests.api.cluster import Cluster

ROUTES = {without_types(call) for call in ACCESS if " /api/v2" in call}


def test_the_reference_names_the_calls_of_the_installed_client_and_no_other() -> None:
    called = {call: operation.name for call, operation in operations().items()}

    assert {call: row.name for call, row in documented().items()} == called


async def test_every_filter_of_the_client_is_known_to_the_route(cluster: Cluster) -> None:
    # A filter that is not known is ignored, and would answer with more than was asked for.
    ours = {
        without_types(f"{method.upper()} {path}"): {one["name"] for one in operation.get("parameters", ())}
        for path, methods in cluster.app.openapi()["paths"].items()
        for method, operation in methods.items()
    }

    unknown = {
        call: sorted(missing)
        for call, operation in operations().items()
        if (missing := operation.query - ours.get(without_types(call), operation.query))
    }

    assert unknown == {}


def test_every_call_has_a_route() -> None:
    assert {call for call in documented() if without_types(call) not in ROUTES} == set()


def test_whatever_does_not_simply_work_has_its_reason() -> None:
    for call, row in documented().items():
        assert row.why or row.verdict is Verdict.WORKS, call


def test_what_airflow_has_not_is_named_as_beyond_it() -> None:
    assert ROUTES - {without_types(call) for call in documented()} == {without_types(call) for call in beyond_airflow()}


async def test_each_call_has_its_own_name_in_the_document_and_tells_who_may_make_it(cluster: Cluster) -> None:
    calls = {
        f"{method.upper()} {path}": operation
        for path, methods in cluster.app.openapi()["paths"].items()
        for method, operation in methods.items()
    }

    names = [operation["operationId"] for operation in calls.values()]
    assert len(names) == len(set(names)) and "get_dags" in names
    assert calls["GET /api/v2/dags"]["security"] == [{"bearer": []}] and calls["POST /auth/token"]["security"] == []
    assert {"401", "403"} <= calls["GET /api/v2/dags"]["responses"].keys()


async def test_a_method_that_a_path_has_not_is_told_those_that_it_has(cluster: Cluster) -> None:
    answer = await cluster.user.put("/api/v2/dags/etl")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, PATCH")
