"""FileSensor: waits for a file or a folder that is not empty."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowd.operators.sensors.file_search import is_there
from flowd.operators.triggers.file import FileTrigger
from flowd.sdk.base_sensor import BaseSensorOperator
from flowd.sdk.connection import Connection
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException, AirflowNotFoundException

DEFAULT_CONNECTION = "fs_default"


class FileSensor(BaseSensorOperator):
    """Poke by looking for `filepath` on the worker, a glob pattern; of a folder, for a file in it.

    A relative path lies below the `path` in the extras of the connection `fs_conn_id`, or below the root. With
    `deferrable` it is looked for by a trigger, on whichever node runs that.
    """

    template_fields: Sequence[str] = ("filepath",)
    ui_color = "#91818a"

    def __init__(
        self,
        *,
        filepath: str,
        fs_conn_id: str = DEFAULT_CONNECTION,
        recursive: bool = False,
        deferrable: bool = False,
        start_from_trigger: bool = False,
        trigger_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filepath, self.fs_conn_id, self.recursive = filepath, fs_conn_id, recursive
        self.deferrable = deferrable or start_from_trigger

    @property
    def path(self) -> str:
        """The pattern, from the root on."""
        return self.filepath if os.path.isabs(self.filepath) else os.path.join(self._base(), self.filepath)

    def poke(self, context: Context) -> bool:
        """Return True where there is such a file, or such a folder with a file in it."""
        pattern = self.path
        self.log.info("looking for %s", pattern)
        return is_there(pattern, recursive=self.recursive)

    def execute(self, context: Context) -> Any:
        """Wait, or defer where it is not there yet."""
        if not self.deferrable:
            return super().execute(context)
        if not self.poke(context):
            trigger = FileTrigger(self.path, recursive=self.recursive, poke_interval=self.poke_interval)
            self.defer(trigger=trigger, method_name="execute_complete", timeout=self.timeout)
        return None

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """Succeed where the trigger found it."""
        if not event:
            raise AirflowException(f"the trigger found no {self.filepath}")

    def _base(self) -> str:
        try:
            extras = Connection.get(self.fs_conn_id).extra_dejson
        except AirflowNotFoundException:
            if self.fs_conn_id != DEFAULT_CONNECTION:
                raise
            extras = {}
        return str(Path("/") / extras.get("path", ""))
