"""Whether what a connection names answers: by its type, from flowd's own hooks or those of installed providers.

A test changes nothing where it asks, and repeats no body that it was answered with: whoever may test a connection need
not be one who may read what is behind it.
"""

from collections.abc import Callable, Mapping

from flowd.operators.services.http_hook import HttpHook
from flowd.operators.services.sql_hook import DbApiHook, SqliteHook
from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.provider_packages import hook_classes
from flowd.sdk.smtp import SmtpServer

Answer = tuple[bool, str]


def answer_of(connection: Connection) -> Answer:
    """Return whether the service, the database or the server answers, and words about that.

    Raises whatever the hook of an installed provider raises.
    """
    own = _OWN.get(connection.conn_type or "")
    if own is not None:
        return own(connection)
    if (connection.conn_type or "") not in hook_classes():
        known = ", ".join(sorted({*_OWN, *hook_classes()}))
        return False, (
            f"there is no test for connections of type {connection.conn_type!r}; there are some for {known}, and an "
            "installed provider package may bring others"
        )
    hook = connection.get_hook()
    test = getattr(hook, "test_connection", None)
    if test is None:
        return False, f"{type(hook).__name__}, the hook for connections of type {connection.conn_type!r}, has no test"
    is_ok, message = test()
    return bool(is_ok), str(message)


def _http(connection: Connection) -> Answer:
    # A redirect is an answer: what it leads to is another service, which the connection does not name.
    options = {"check_response": False, "allow_redirects": False}
    try:
        answer = HttpHook(method="GET", http_conn_id=connection.conn_id or "").run(extra_options=options)
    except AirflowException as error:
        return False, str(error)
    return answer.status_code < 400, f"GET was answered {answer.status_code} {answer.reason_phrase}".rstrip()


def _smtp(connection: Connection) -> Answer:
    try:
        SmtpServer.of_connection(connection).check()
    except AirflowException as error:
        return False, str(error)
    return True, "the mail server answered" + (" and let it log in" if connection.login else "")


def _sql(connection: Connection) -> Answer:
    return DbApiHook(conn_id=connection.conn_id).test_connection()


def _sqlite(connection: Connection) -> Answer:
    return SqliteHook(sqlite_conn_id=connection.conn_id).test_connection()


_OWN: Mapping[str, Callable[[Connection], Answer]] = {
    "http": _http,
    "https": _http,
    "mysql": _sql,
    "postgres": _sql,
    "smtp": _smtp,
    "sqlite": _sqlite,
}
