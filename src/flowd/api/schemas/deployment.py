"""Shapes of what a cluster is made of: its settings, its nodes as Airflow's jobs, its plugins and providers."""

from datetime import datetime
from typing import Any

from flowd.api.schemas.base import Shape


class ConfigOption(Shape):
    """A setting as text."""

    key: str
    value: str


class ConfigSection(Shape):
    """The settings of one part."""

    name: str
    options: list[ConfigOption]


class Config(Shape):
    """The settings, those that are secret hidden."""

    sections: list[ConfigSection]


class JobResponse(Shape):
    """A role that a node runs, as Airflow's clients know it: a job."""

    id: int
    dag_id: str | None = None
    state: str | None
    job_type: str | None
    start_date: datetime | None
    end_date: datetime | None = None
    latest_heartbeat: datetime | None
    executor_class: str | None = None
    hostname: str | None
    unixname: str | None = None
    dag_display_name: str | None = None


class JobCollectionResponse(Shape):
    """A page of jobs."""

    jobs: list[JobResponse]
    total_entries: int


class PluginCollectionResponse(Shape):
    """A page of plugins, which is empty: they are loaded in the processes that run tasks, and never by a server."""

    plugins: list[dict[str, Any]]
    total_entries: int


class PluginImportErrorCollectionResponse(Shape):
    """What plugins failed to load, which is nothing: see PluginCollectionResponse."""

    import_errors: list[dict[str, Any]]
    total_entries: int


class ProviderResponse(Shape):
    """A provider package that is installed beside this node."""

    package_name: str
    description: str
    version: str
    documentation_url: str | None = None


class ProviderCollectionResponse(Shape):
    """A page of provider packages."""

    providers: list[ProviderResponse]
    total_entries: int


class DagWarningResponse(Shape):
    """Something that will hold up a DAG's tasks."""

    dag_id: str
    dag_display_name: str
    warning_type: str
    message: str
    timestamp: datetime


class DagWarningCollectionResponse(Shape):
    """A page of warnings."""

    dag_warnings: list[DagWarningResponse]
    total_entries: int
