"""ObjectStore: the file systems of fsspec behind object storage paths, opened with the credentials of a connection.

fsspec is no dependency of flowd and is imported when a path is first opened, in the process of a task. What opens a
protocol: what the author has attached for it; an installed provider that brings it; fsspec's own, which of connections
knows those of Amazon S3.
"""

import importlib
import inspect
import os
from collections.abc import Mapping
from typing import Any

from flowd.sdk.exceptions import AirflowConfigException, AirflowException
from flowd.sdk.object_location import LOCAL
from flowd.sdk.provider_packages import file_systems
from flowd.sdk.s3_options import s3_options

S3 = ("s3", "s3a", "s3n")


class ObjectStore:
    """A protocol and a connection; `fs` is opened at its first use, and anew in a process that was forked since."""

    def __init__(
        self,
        protocol: str,
        conn_id: str | None,
        fs: Any = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.protocol, self.conn_id = protocol, conn_id
        self.storage_options = storage_options
        self._given = fs
        self._opened: tuple[int, Any] | None = None

    @property
    def fs(self) -> Any:
        """The file system; raises AirflowException where no library or connection opens it."""
        if self._given is not None:
            return self._given
        # Those over the network have a thread of their own, which a fork does not take along.
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), get_fs(self.protocol, self.conn_id, self.storage_options))
        return self._opened[1]

    def __str__(self) -> str:
        return f"{self.protocol}-{self.conn_id}" if self.conn_id else self.protocol


_attached: dict[str, ObjectStore] = {}


def attach(
    protocol: str | None = None,
    conn_id: str | None = None,
    alias: str | None = None,
    encryption_type: str | None = "",
    fs: Any = None,
    **storage: Any,
) -> ObjectStore:
    """Return the store of a protocol and connection, or of an alias, from now on the one that paths of it use.

    One that was attached before stays. `encryption_type` has no effect, as in Airflow. Raises ValueError for an alias
    that was not attached, and without a protocol.
    """
    name = alias or (f"{protocol}-{conn_id}" if conn_id else protocol)
    if name in _attached:
        return _attached[name]
    if not name or not protocol:
        raise ValueError(f"no store is attached as {alias!r}" if alias else "attach() needs a protocol, or an alias")
    _attached[name] = ObjectStore(protocol, conn_id, fs, **storage)
    return _attached[name]


def get_fs(scheme: str, conn_id: str | None = None, storage_options: Mapping[str, Any] | None = None) -> Any:
    """Return a file system of fsspec; raise AirflowException that says what to install where it cannot be opened."""
    options = dict(storage_options or {})
    if scheme in LOCAL:
        return _library(scheme).filesystem("file", **options)
    fsspec = _library(scheme)
    provided = file_systems().get(scheme)
    if provided is not None:
        takes_options = len(inspect.signature(provided).parameters) > 1
        return provided(conn_id, options) if takes_options else provided(conn_id)
    if scheme in S3:
        # What another task has written must be seen at once.
        options = {"use_listings_cache": False, **s3_options(conn_id), **options}
    elif conn_id is not None:
        raise AirflowConfigException(
            f"{scheme}://{conn_id}@: flowd itself knows connections of s3 only; install the provider of this protocol, "
            "or give what its file system takes as keywords of ObjectStoragePath"
        )
    try:
        return fsspec.filesystem(scheme, **options)
    except (ImportError, ValueError) as error:
        raise AirflowException(f"{scheme}:// cannot be opened: {_advice(scheme, error)}") from error


def has_fs(scheme: str) -> bool:
    """Whether paths of this protocol can be opened: its library is installed, or something is attached."""
    if scheme in _attached or scheme in file_systems():
        return True
    try:
        _library(scheme).get_filesystem_class(scheme)
    except (ImportError, ValueError, AirflowException):
        return False
    return True


def _library(scheme: str) -> Any:
    try:
        return importlib.import_module("fsspec")
    except ImportError as error:
        raise AirflowException(f"{scheme or 'file'}:// cannot be opened: {_advice(scheme, error)}") from error


def _advice(scheme: str, error: Exception) -> str:
    if scheme in (*S3, *LOCAL):
        return f"{error}: install 'flowd[objects]', which is fsspec and s3fs, where workers run"
    return (
        f"{error}: what opens it must be installed where workers run" if isinstance(error, ImportError) else str(error)
    )
