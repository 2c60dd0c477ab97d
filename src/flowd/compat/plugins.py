"""AirflowPlugin, and the plugins of a DAG folder: what they add to `macros` in templates, and their listeners."""

import importlib
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from flowd.sdk import macros
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.listeners import listen


class AirflowPlugin:
    """A plugin. `macros` are functions that templates call as `macros.NAME.function(…)`; all else is accepted.

    Of its `listeners` those functions are called that hear of tasks.
    """

    name: ClassVar[str | None] = None
    macros: ClassVar[list[Any]] = []
    listeners: ClassVar[list[Any]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name and cls.macros:
            functions = {function.__name__: function for function in cls.macros}
            setattr(macros, cls.name, SimpleNamespace(**functions))
        for listener in cls.__dict__.get("listeners", ()):
            listen(listener, cls.name or cls.__name__)


def load_plugins(folder: Path) -> None:
    """Import each module of `folder` that speaks of plugins; the folder is on sys.path, and so is the one it is in.

    One that cannot be imported is a DagWarning: the DAG files that need it say so themselves.
    """
    for file in sorted(folder.glob("*.py")):
        if AirflowPlugin.__name__.encode() in file.read_bytes():
            try:
                importlib.import_module(file.stem)
            except Exception as error:
                warnings.warn(f"plugins/{file.name} is left out: {error}", DagWarning, stacklevel=2)
