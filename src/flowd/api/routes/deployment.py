"""What the cluster is made of: settings, nodes, plugins and providers."""

import re
from collections.abc import Iterator
from importlib.metadata import distributions

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from flowd.api.context import ApiContext, Context
from flowd.api.guard import ApiRoute
from flowd.api.schemas.base import Moment
from flowd.api.schemas.deployment import (
    Config,
    ConfigOption,
    ConfigSection,
    JobCollectionResponse,
    JobResponse,
    PluginCollectionResponse,
    PluginImportErrorCollectionResponse,
    ProviderCollectionResponse,
    ProviderResponse,
)
from flowd.api.slices import Ordered, Unordered
from flowd.db.views.jobs import JobView, list_jobs
from flowd.domain.errors import NotFound
from flowd.settings.catalogue import catalogue, sections, shown

router = APIRouter(prefix="/api/v2", route_class=ApiRoute)
RUNNING, SILENT = "running", "failed"
_PROVIDER = re.compile(r"apache[-_.]airflow[-_.]providers[-_.]", re.IGNORECASE)


@router.get("/config", response_model=Config, tags=["Config"])
async def get_config(request: Request, context: Context, section: str | None = None) -> Response | Config:
    """Return the settings of this node, secrets hidden: JSON, or text where asked for."""
    if section is not None and section not in sections():
        raise NotFound(f"Section {section} not found.")
    return _as_wanted(request, _config(context, [section] if section is not None else list(sections())))


@router.get("/config/section/{section}/option/{option}", response_model=Config, tags=["Config"])
async def get_config_value(request: Request, context: Context, section: str, option: str) -> Response | Config:
    """Return one setting of this node, hidden where it is a secret."""
    name = f"{section}.{option}"
    if name not in catalogue():
        raise NotFound(f"The option [{section}/{option}] is not found in config.")
    value = ConfigOption(key=option, value=shown(context.settings, name))
    return _as_wanted(request, Config(sections=[ConfigSection(name=section, options=[value])]))


@router.get("/jobs", tags=["Job"])
async def get_jobs(
    context: Context,
    page: Ordered,
    is_alive: bool | None = None,
    job_state: str | None = None,
    job_type: str | None = None,
    hostname: str | None = None,
    executor_class: str | None = None,
    start_date_gte: Moment | None = None,
    start_date_gt: Moment | None = None,
    start_date_lte: Moment | None = None,
    start_date_lt: Moment | None = None,
    end_date_gte: Moment | None = None,
    end_date_gt: Moment | None = None,
    end_date_lte: Moment | None = None,
    end_date_lt: Moment | None = None,
) -> JobCollectionResponse:
    """List the roles of the nodes on record; one that fell silent is `failed`."""
    async with context.backends.metastore.reading() as tx:
        jobs = await list_jobs(tx)
    wanted = {"state": job_state, "job_type": job_type, "hostname": hostname, "executor_class": executor_class}
    # A job that has ended is not on record, so none has an end to be found by.
    has_end = any(bound is not None for bound in (end_date_gte, end_date_gt, end_date_lte, end_date_lt))
    found = [
        shape
        for job in (() if has_end else jobs)
        for shape in [_job(job)]
        if (is_alive is None or job.is_alive == is_alive)
        and all(value is None or getattr(shape, name) == value for name, value in wanted.items())
        and (start_date_gte is None or job.started_at >= start_date_gte)
        and (start_date_gt is None or job.started_at > start_date_gt)
        and (start_date_lte is None or job.started_at <= start_date_lte)
        and (start_date_lt is None or job.started_at < start_date_lt)
    ]
    keys = {
        "id": lambda job: job.id,
        "state": lambda job: job.state,
        "job_type": lambda job: job.job_type,
        "hostname": lambda job: job.hostname,
        "start_date": lambda job: job.start_date,
        "end_date": lambda job: job.end_date,
        "latest_heartbeat": lambda job: job.latest_heartbeat,
    }
    return JobCollectionResponse(jobs=page.of(found, keys), total_entries=len(found))


@router.get("/plugins", tags=["Plugin"])
async def get_plugins(page: Unordered) -> PluginCollectionResponse:
    """List the plugins of this server, which has none: they are loaded where tasks run."""
    return PluginCollectionResponse(plugins=page.of([], {}), total_entries=0)


@router.get("/plugins/importErrors", tags=["Plugin"])
async def get_plugin_import_errors() -> PluginImportErrorCollectionResponse:
    """List the plugins that this server failed to load: it loads none."""
    return PluginImportErrorCollectionResponse(import_errors=[], total_entries=0)


@router.get("/providers", tags=["Provider"])
async def get_providers(page: Unordered) -> ProviderCollectionResponse:
    """List the provider packages of Airflow that are installed beside this node."""
    found = sorted(_providers(), key=lambda one: one.package_name)
    return ProviderCollectionResponse(providers=page.of(found, {}), total_entries=len(found))


def _config(context: ApiContext, names: list[str]) -> Config:
    return Config(
        sections=[
            ConfigSection(
                name=section,
                options=[
                    ConfigOption(key=info.key, value=shown(context.settings, name))
                    for name, info in catalogue().items()
                    if info.section == section
                ],
            )
            for section in names
        ]
    )


def _as_wanted(request: Request, config: Config) -> Response | Config:
    if "text/plain" not in request.headers.get("Accept", ""):
        return config
    lines = [
        line
        for section in config.sections
        for line in (f"[{section.name}]", *(f"{one.key} = {one.value}" for one in section.options), "")
    ]
    return PlainTextResponse("\n".join(lines))


def _job(job: JobView) -> JobResponse:
    return JobResponse(
        id=job.id,
        state=RUNNING if job.is_alive else SILENT,
        job_type=job.job_type,
        start_date=job.started_at,
        latest_heartbeat=job.seen_at,
        hostname=job.host,
    )


def _providers() -> Iterator[ProviderResponse]:
    for one in distributions():
        name = one.metadata["Name"] or ""
        if _PROVIDER.match(name):
            yield ProviderResponse(package_name=name, description=one.metadata["Summary"] or "", version=one.version)
