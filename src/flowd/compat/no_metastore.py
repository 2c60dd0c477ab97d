"""What Airflow keeps in its database and shows to every process. A flowd task has no way to the metastore: these names
can be imported, and using one raises `NotInFlowd`, which says what to do instead.
"""

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from flowd.sdk.exceptions import AirflowFailException


class NotInFlowd(AirflowFailException):
    """Something of Airflow's inner life was used that flowd does not have; no retry would help."""


class _AbsentClass(type):
    """A class whose every attribute is refused, so that queries such as `DagRun.find(…)` are told apart from typing."""

    advice: str

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"{cls.__name__}.{name}", cls.advice)

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(f"{cls.__name__}(…)", cls.advice)


def _absent(name: str, advice: str) -> _AbsentClass:
    return _AbsentClass(name, (), {"advice": advice, "__doc__": f"Importable, and refused when used: {advice}."})


_REST = "ask flowd's REST API, which answers as Airflow's does"

DagBag = _absent("DagBag", f"DAGs of other files are not in this process; {_REST}")
DagModel = _absent("DagModel", _REST)
Log = _absent("Log", f"{_REST}, at /api/v2/eventLogs")
Pool = _absent("Pool", f"{_REST}, at /api/v2/pools, or use `flowd pools`")
RenderedTaskInstanceFields = _absent("RenderedTaskInstanceFields", _REST)
SerializedDagModel = _absent("SerializedDagModel", _REST)
TaskFail = _absent("TaskFail", _REST)
TaskReschedule = _absent("TaskReschedule", "use ti.get_first_reschedule_date()")


class _NoSession:
    """Stands for a session of the metastore, and refuses every use."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"session.{name}", f"tasks have no connection to the metastore; {_REST}")

    def __enter__(self) -> "_NoSession":
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: nothing was opened."""


NO_SESSION = _NoSession()


def create_session(*_: Any, **__: Any) -> _NoSession:
    """Return a session that refuses every use, as a context manager too."""
    return NO_SESSION


def provide_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` so that it is given a `session` that refuses every use, where the caller gives none."""

    @functools.wraps(function)
    def provided(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("session", NO_SESSION)
        return function(*args, **kwargs)

    return provided


def _refuse(what: str, advice: str) -> NoReturn:
    raise NotInFlowd(f"{what} is not in flowd: {advice}")
