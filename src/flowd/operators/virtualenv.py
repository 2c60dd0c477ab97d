"""PythonVirtualenvOperator: calls a function in a virtual environment that is made for it."""

import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.branch import follow
from flowd.operators.guest_python import GuestPythonOperator
from flowd.operators.python import PythonOperator
from flowd.operators.venv_recipe import VenvRecipe, cached_venv, make_venv
from flowd.sdk.connection import Connection
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException

_VERSION = re.compile(r"\d+(\.\d+)?(\.\d+)?")


class PythonVirtualenvOperator(GuestPythonOperator):
    """Call a function in a fresh virtual environment with `requirements`: a list, or the text or name of a file.

    It is made with the standard library's venv and pip, by `python_version` (such as "3.12"; the worker's own where
    none is given). With `venv_cache_path` it is kept there and used again while nothing about it changes. `index_urls`
    are the package indexes, the first before the others; an empty list allows none.
    """

    template_fields: Sequence[str] = (
        *PythonOperator.template_fields,
        "requirements",
        "index_urls",
        "index_urls_from_connection_ids",
        "venv_cache_path",
        "string_args",
        "env_vars",
    )
    template_ext: Sequence[str] = (".txt",)

    def __init__(
        self,
        *,
        requirements: str | Collection[str] | None = None,
        python_version: str | float | None = None,
        system_site_packages: bool = True,
        pip_install_options: Sequence[str] | None = None,
        index_urls: str | Collection[str] | None = None,
        index_urls_from_connection_ids: str | Collection[str] | None = None,
        venv_cache_path: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if python_version is not None and not _VERSION.fullmatch(str(python_version)):
            raise InvalidDag(f"task {self.task_id!r}: python_version is {python_version!r}, wanted one such as '3.12'")
        self.requirements = requirements if isinstance(requirements, str) else list(requirements or ())
        self.python_version = None if python_version is None else str(python_version)
        self.system_site_packages = system_site_packages
        self.pip_install_options = list(pip_install_options or ())
        self.index_urls = [index_urls] if isinstance(index_urls, str) else index_urls
        ids = index_urls_from_connection_ids
        self.index_urls_from_connection_ids = [ids] if isinstance(ids, str) else ids
        self.venv_cache_path = None if venv_cache_path is None else str(venv_cache_path)

    def execute(self, context: Context) -> Any:
        """Make the environment, or take it from the cache, and call the function in it."""
        recipe = self._recipe()
        if self.venv_cache_path is not None:
            return self.call_with(cached_venv(recipe, Path(self.venv_cache_path)), context)
        with tempfile.TemporaryDirectory(prefix="flowd-venv-", ignore_cleanup_errors=True) as folder:
            return self.call_with(make_venv(recipe, Path(folder, "venv")), context)

    def _recipe(self) -> VenvRecipe:
        lines = self.requirements.splitlines() if isinstance(self.requirements, str) else self.requirements
        urls = None if self.index_urls is None else list(self.index_urls)
        for conn_id in self.index_urls_from_connection_ids or ():
            urls = [*(urls or ()), _index_url(Connection.get(conn_id))]
        return VenvRecipe(
            python=self._interpreter(),
            requirements=tuple(line.strip() for line in lines if line.strip()),
            has_system_packages=self.system_site_packages,
            pip_options=tuple(self.pip_install_options),
            index_urls=None if urls is None else tuple(urls),
        )

    def _interpreter(self) -> str:
        version = self.python_version
        if version is None or ".".join(map(str, sys.version_info[:3])).startswith(f"{version}."):
            return sys.executable
        # An interpreter is installed under its minor version: python3.12 for 3.12.4, too.
        name = f"python{'.'.join(version.split('.')[:2])}"
        found = shutil.which(name)
        if found is None:
            raise AirflowException(
                f"task {self.task_id!r}: there is no {name} on this worker; install it, or leave python_version out to "
                f"use {sys.version_info.major}.{sys.version_info.minor}"
            )
        return found


class BranchPythonVirtualenvOperator(PythonVirtualenvOperator):
    """A branch chosen by a function in a virtual environment."""

    def execute(self, context: Context) -> Any:
        """Call the function, and skip what it did not choose."""
        return follow(self, super().execute(context), context)


def _index_url(connection: Connection) -> str:
    """Return the URL of a connection of Airflow's type package_index: its host is a URL, its login goes into it."""
    host = connection.host or ""
    scheme, _, rest = host.rpartition("://")
    login = connection.login or ""
    user = f"{login}:{connection.password or ''}@" if login else ""
    return f"{scheme or 'https'}://{user}{rest}"


def is_venv_installed() -> bool:
    """Return True: virtual environments are made by Python itself."""
    return True
