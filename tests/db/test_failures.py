"""Which errors of a database mean "try again later"."""

import pytest
from sqlalchemy.exc import OperationalError

from flowd.db.failures import is_transient


class FromServer(Exception):
    """An error as a driver of MySQL raises it: its number, then its text."""


def wrapped(number: int) -> OperationalError:
    return OperationalError("UPDATE task_instance …", (), FromServer(number, "what the server says"))


@pytest.mark.parametrize(
    "number", [1020, 1040, 1053, 1180, 1203, 1205, 1213, 1226, 1290, 1317, 1927, 2003, 2006, 2013, 3101]
)
def test_what_passes_on_mysql_is_tried_again(number: int) -> None:
    assert is_transient(wrapped(number))


@pytest.mark.parametrize("number", [1062, 1064, 1146, 1153, 1406, 3819])
def test_what_stays_wrong_on_mysql_is_not(number: int) -> None:
    assert not is_transient(wrapped(number))
