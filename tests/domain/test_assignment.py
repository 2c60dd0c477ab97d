"""Assignments survive JSON; a document of another form is refused as such."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.assignment import Assignment, assignment_from_json, assignment_to_json
from tests.support.specs import an_assignment, assignments, json_values


@given(assignments)
def test_an_assignment_survives_json(assignment: Assignment) -> None:
    assert assignment_from_json(json.loads(json.dumps(assignment_to_json(assignment)))) == assignment


@pytest.mark.parametrize(("map_index", "label"), [(-1, "etl.load manual__1 try 2"), (3, "etl.load[3] manual__1 try 2")])
def test_the_label_names_the_try(map_index: int, label: str) -> None:
    assert an_assignment(map_index=map_index, try_number=2).label == label


@given(
    st.sampled_from(sorted(assignment_to_json(an_assignment()))), json_values | st.sampled_from([float("inf"), 1e300])
)
def test_a_field_of_another_form_is_read_or_refused_and_never_more(field: str, value: Any) -> None:
    document = assignment_to_json(an_assignment()) | {field: value}

    try:
        read = assignment_from_json(document)
    except (KeyError, TypeError, ValueError, OverflowError):
        return
    assert isinstance(read, Assignment)


@pytest.mark.parametrize("field", sorted(assignment_to_json(an_assignment())))
def test_every_field_is_wanted(field: str) -> None:
    document = assignment_to_json(an_assignment())
    del document[field]

    with pytest.raises(KeyError, match=field):
        assignment_from_json(document)
