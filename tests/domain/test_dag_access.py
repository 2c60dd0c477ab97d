"""What an `access_control` means."""

from typing import Any

import pytest

from flowd.domain.dag_access import DELETE, EDIT, EDIT_RUNS, READ, TRIGGER, DagPermission, dag_access_of
from flowd.domain.errors import InvalidDag


@pytest.mark.parametrize(
    ("said", "granted"),
    [
        ({"can_read"}, {READ}),
        (["can_edit"], {READ, TRIGGER, EDIT_RUNS, EDIT}),
        ("can_delete", {READ, DELETE}),
        ({"can_dag_read", "can_dag_edit"}, {READ, TRIGGER, EDIT_RUNS, EDIT}),
        ({"DAGs": {"can_read"}, "DAG Runs": {"can_create"}}, {READ, TRIGGER}),
        ({"DAG Runs": ["can_edit"]}, {READ, EDIT_RUNS}),
        ({"DAG Runs": ("can_delete", "menu_access")}, {READ, DELETE}),
        (set(), set()),
        ({}, set()),
    ],
)
def test_airflows_words_grant_what_they_say_and_to_see_it(said: Any, granted: set[DagPermission]) -> None:
    access = dag_access_of({"team": said}, "DAG 'd'")

    assert access is not None
    assert {one for one in DagPermission if access.permits(["ada", "team"], one)} == granted
    assert not any(access.permits(["ada"], one) for one in DagPermission)
    assert access.readers == (["team"] if granted else [])


def test_a_dag_without_it_is_not_restricted_and_one_that_names_nobody_lets_nobody_in() -> None:
    assert dag_access_of(None, "DAG 'd'") is None
    nobody = dag_access_of({}, "DAG 'd'")
    assert nobody is not None and not nobody.readers


@pytest.mark.parametrize(
    ("access_control", "problem"),
    [
        (
            {"team": {"can_fly"}},
            "access_control of 'team': 'can_fly' is no permission for DAGs; wanted some of can_read",
        ),
        ({"team": {"Pools": {"can_read"}}}, "'Pools' is nothing to permit; wanted one of DAGs, DAG Runs"),
        ({"team": 3}, "access_control of 'team': 3 are no permissions"),
        ({"": {"can_read"}}, "access_control names ''; wanted a role, group or user of 1 to 250 characters"),
        (["team"], "access_control is a list; wanted {name: permissions}"),
    ],
)
def test_what_means_nothing_is_refused_and_not_ignored(access_control: Any, problem: str) -> None:
    with pytest.raises(InvalidDag) as caught:
        dag_access_of(access_control, "DAG 'd'")

    assert str(caught.value).startswith("DAG 'd': ") and problem in str(caught.value)
