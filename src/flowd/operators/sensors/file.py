"""FileSensor: waits for a file or a folder that is not empty."""

import os
from collections.abc import Sequence
from glob import iglob
from pathlib import Path
from typing import Any

from flowd.sdk.base_sensor import BaseSensorOperator
from flowd.sdk.connection import Connection
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowNotFoundException

DEFAULT_CONNECTION = "fs_default"


class FileSensor(BaseSensorOperator):
    """Poke by looking for `filepath` on the worker, a glob pattern; of a folder, for a file in it.

    A relative path lies below the `path` in the extras of the connection `fs_conn_id`, or below the root.
    """

    template_fields: Sequence[str] = ("filepath",)
    ui_color = "#91818a"

    def __init__(
        self, *, filepath: str, fs_conn_id: str = DEFAULT_CONNECTION, recursive: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filepath, self.fs_conn_id, self.recursive = filepath, fs_conn_id, recursive

    @property
    def path(self) -> str:
        """The pattern, from the root on."""
        return self.filepath if os.path.isabs(self.filepath) else os.path.join(self._base(), self.filepath)

    def poke(self, context: Context) -> bool:
        """Return True where there is such a file, or such a folder with a file in it."""
        pattern = self.path
        self.log.info("looking for %s", pattern)
        for found in iglob(pattern, recursive=self.recursive):
            if os.path.isfile(found) or any(files for _, _, files in os.walk(found)):
                return True
        return False

    def _base(self) -> str:
        try:
            extras = Connection.get(self.fs_conn_id).extra_dejson
        except AirflowNotFoundException:
            if self.fs_conn_id != DEFAULT_CONNECTION:
                raise
            extras = {}
        return str(Path("/") / extras.get("path", ""))
