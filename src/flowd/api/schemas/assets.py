"""Shapes of assets, aliases, events and what is queued."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import Field, model_validator

from flowd.api.schemas.base import Body, Moment, Shape, together
from flowd.api.storable import WholeNumber
from flowd.db.assets import INLET, OUTLET, SCHEDULE
from flowd.db.views.asset_events import CreatedRun, EventView, QueuedView
from flowd.db.views.assets import AliasView, AssetView, Use


class AssetAliasResponse(Shape):
    """A name for assets that are known only when a task has run."""

    id: int
    name: str
    group: str

    @classmethod
    def of(cls, alias: AliasView) -> Self:
        """Return the shape of an alias."""
        return cls(id=alias.id, name=alias.name, group=alias.group)


class AssetAliasCollectionResponse(Shape):
    """A page of aliases."""

    asset_aliases: list[AssetAliasResponse]
    total_entries: int


class DagReference(Shape):
    """A DAG that is scheduled by an asset."""

    dag_id: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, use: Use) -> Self:
        """Return the shape of a use."""
        return cls(dag_id=use.dag_id, created_at=use.at, updated_at=use.at)


class TaskReference(DagReference):
    """A task that has an asset as an inlet or an outlet."""

    task_id: str | None

    @classmethod
    def of(cls, use: Use) -> Self:
        """Return the shape of a use."""
        return cls(dag_id=use.dag_id, task_id=use.task_id, created_at=use.at, updated_at=use.at)


class LastAssetEvent(Shape):
    """The last event of an asset; nulls where it has had none."""

    id: int | None
    timestamp: datetime | None


class AssetWatcherResponse(Shape):
    """A trigger that watches an asset."""

    name: str
    trigger_id: int
    created_date: datetime


class AssetResponse(Shape):
    """An asset, who uses it and what watches it."""

    id: int
    name: str
    uri: str
    group: str
    extra: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    scheduled_dags: list[DagReference]
    producing_tasks: list[TaskReference]
    consuming_tasks: list[TaskReference]
    aliases: list[AssetAliasResponse]
    watchers: list[AssetWatcherResponse]
    last_asset_event: LastAssetEvent

    @classmethod
    def of(cls, asset: AssetView) -> Self:
        """Return the shape of an asset."""
        return cls(
            id=asset.id,
            name=asset.name,
            uri=asset.uri,
            group=asset.group,
            extra=dict(asset.extra),
            created_at=asset.created_at,
            updated_at=asset.updated_at,
            scheduled_dags=[DagReference.of(use) for use in asset.uses.get(SCHEDULE, ())],
            producing_tasks=[TaskReference.of(use) for use in asset.uses.get(OUTLET, ())],
            consuming_tasks=[TaskReference.of(use) for use in asset.uses.get(INLET, ())],
            aliases=[AssetAliasResponse.of(alias) for alias in asset.aliases],
            watchers=[
                AssetWatcherResponse(name=one.name, trigger_id=one.id, created_date=one.at) for one in asset.watchers
            ],
            last_asset_event=LastAssetEvent(id=asset.last_event, timestamp=asset.last_event_at),
        )


class AssetCollectionResponse(Shape):
    """A page of assets."""

    assets: list[AssetResponse]
    total_entries: int


class DagRunAssetReference(Shape):
    """A run that an event has set off; one that has not started says when it was queued."""

    run_id: str
    dag_id: str
    logical_date: datetime | None
    start_date: datetime
    end_date: datetime | None
    state: str
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    partition_key: str | None = None
    triggering: bool = True

    @classmethod
    def of(cls, run: CreatedRun) -> Self:
        """Return the shape of a run."""
        return cls(
            run_id=run.run_id,
            dag_id=run.dag_id,
            logical_date=run.logical_date,
            start_date=run.started_at or run.queued_at,
            end_date=run.ended_at,
            state=run.state,
            data_interval_start=run.data_interval_start,
            data_interval_end=run.data_interval_end,
            partition_key=run.partition_key,
        )


class AssetEventResponse(Shape):
    """An event of an asset."""

    id: int
    asset_id: int
    uri: str | None
    name: str | None
    group: str | None
    extra: dict[str, Any] | None
    source_dag_id: str | None
    source_task_id: str | None
    source_run_id: str | None
    source_map_index: int
    timestamp: datetime
    partition_key: str | None = None
    created_dagruns: list[DagRunAssetReference]

    @classmethod
    def of(cls, view: EventView) -> Self:
        """Return the shape of an event."""
        event = view.event
        return cls(
            id=event.id,
            asset_id=event.asset,
            uri=event.uri,
            name=event.name,
            group=event.group,
            extra=dict(event.extra),
            source_dag_id=event.source_dag_id,
            source_task_id=event.source_task_id,
            source_run_id=event.source_run_id,
            source_map_index=event.source_map_index,
            timestamp=event.at,
            partition_key=event.partition_key,
            created_dagruns=[DagRunAssetReference.of(run) for run in view.runs],
        )


class AssetEventCollectionResponse(Shape):
    """A page of events."""

    asset_events: list[AssetEventResponse]
    total_entries: int

    @classmethod
    def of(cls, events: Sequence[EventView], total: int) -> Self:
        """Return the shape of a page of events."""
        return cls(asset_events=[AssetEventResponse.of(event) for event in events], total_entries=total)


class CreateAssetEventBody(Body):
    """That an asset, or a partition of it, has changed. There are no teams."""

    asset_id: WholeNumber
    extra: dict[str, Any] = Field(default_factory=dict)
    partition_key: str | None = Field(default=None, max_length=250)
    access_control: None = None


class QueuedEventResponse(Shape):
    """That events of an asset are queued for a DAG, and since when."""

    dag_id: str
    dag_display_name: str
    asset_id: int
    created_at: datetime

    @classmethod
    def of(cls, queued: QueuedView) -> Self:
        """Return the shape of what is queued."""
        return cls(
            dag_id=queued.dag_id,
            dag_display_name=queued.dag_display_name,
            asset_id=queued.asset,
            created_at=queued.since,
        )


class QueuedEventCollectionResponse(Shape):
    """All that is queued."""

    queued_events: list[QueuedEventResponse]
    total_entries: int


class MaterializeAssetBody(Body):
    """What somebody says who has an asset made."""

    model_config = together("data_interval_start", "data_interval_end")

    dag_run_id: str | None = None
    logical_date: Moment | None = None
    data_interval_start: Moment | None = None
    data_interval_end: Moment | None = None
    run_after: Moment | None = None
    conf: dict[str, Any] | None = None
    note: str | None = Field(default=None, max_length=1000)
    partition_key: str | None = None

    @model_validator(mode="after")
    def _has_both_ends(self) -> Self:
        if (self.data_interval_start is None) != (self.data_interval_end is None):
            raise ValueError("Either both data_interval_start and data_interval_end must be provided or both be None")
        return self
