"""What Airflow keeps in its database can be imported, and using it says what to do instead."""

from typing import Any

import pytest

from flowd.compat.no_metastore import (
    NO_SESSION,
    DagBag,
    DagModel,
    NotInFlowd,
    Pool,
    create_session,
    provide_session,
)
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.xcom import XCom


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (DagBag, r"DagBag\(…\) is not in flowd: DAGs of other files are not in this process"),
        (lambda: DagModel.get_dagmodel("d"), r"DagModel.get_dagmodel is not in flowd: ask flowd's REST API"),
        (lambda: Pool.get_pools(), "or use `flowd pools`"),
        (lambda: create_session().query(1), r"session.query is not in flowd: tasks have no connection"),
    ],
)
def test_a_use_is_refused_and_an_import_is_not(use: Any, message: str) -> None:
    with pytest.raises(NotInFlowd, match=message):
        use()


def test_a_function_that_does_not_use_its_session_works() -> None:
    @provide_session
    def count(items: list[int], session: Any = None) -> tuple[int, Any]:
        return len(items), session

    with create_session() as session:
        assert count([1], session=session) == (1, NO_SESSION)
    assert count([1, 2]) == (2, NO_SESSION)
    assert count([], session=3) == (0, 3)
    assert isinstance(DagBag, type)
    assert not hasattr(session, "__len__")


def test_an_xcom_of_another_task_is_never_written() -> None:
    with pytest.raises(AirflowException, match=r"XCom.set\('k', …\) is not in flowd; push with ti.xcom_push"):
        XCom.set("k", 1, task_id="other")
