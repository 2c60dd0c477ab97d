"""Work survives JSON, and says little."""

import json

import pytest
from hypothesis import given

from flowd.domain.work import BashWork, NoWork, PythonWork, Work, work_from_json, work_to_json
from tests.support.specs import works


@given(works)
def test_work_survives_json(work: Work) -> None:
    assert work_from_json(json.loads(json.dumps(work_to_json(work)))) == work


@pytest.mark.parametrize(
    ("work", "document"),
    [
        (BashWork(script="echo hi"), {"kind": "bash", "script": "echo hi"}),
        (PythonWork(file="etl.py", callable="load"), {"kind": "python", "file": "etl.py", "callable": "load"}),
        (NoWork(), {"kind": "none"}),
    ],
)
def test_a_message_holds_no_field_at_its_default(work: Work, document: dict[str, str]) -> None:
    assert work_to_json(work) == document


def test_no_environment_and_an_empty_one_are_not_the_same() -> None:
    assert work_from_json(work_to_json(BashWork(script="env", env={}))) == BashWork(script="env", env={})
    assert BashWork(script="env", env={}) != BashWork(script="env")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unknown kind of work 'perl'; wanted bash, python or none$"):
        work_from_json({"kind": "perl"})


def test_a_missing_field_is_refused() -> None:
    with pytest.raises(KeyError, match="script"):
        work_from_json({"kind": "bash"})
