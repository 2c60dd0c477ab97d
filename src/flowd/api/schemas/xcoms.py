"""Shapes of XComs."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from flowd.api.schemas.base import Body, Shape
from flowd.api.storable import WholeNumber
from flowd.db.views.xcoms import XComView
from flowd.domain.ids import UNMAPPED


class XComResponse(Shape):
    """An XCom without its value."""

    key: str
    timestamp: datetime
    logical_date: datetime | None
    run_after: datetime
    map_index: int
    task_id: str
    task_display_name: str
    dag_id: str
    dag_display_name: str
    run_id: str

    @classmethod
    def of(cls, xcom: XComView, **value: Any) -> Self:
        """Return the shape of an XCom."""
        return cls(
            key=xcom.key,
            timestamp=xcom.at,
            logical_date=xcom.logical_date,
            run_after=xcom.run_after,
            map_index=xcom.map_index,
            task_id=xcom.task_id,
            task_display_name=xcom.task_display_name,
            dag_id=xcom.dag_id,
            dag_display_name=xcom.dag_display_name,
            run_id=xcom.run_id,
            **value,
        )


class XComValueResponse(XComResponse):
    """An XCom with its value: a JSON value, or its text where `stringify` was asked for."""

    value: Any


class XComCollectionResponse(Shape):
    """A page of XComs."""

    xcom_entries: list[XComResponse]
    total_entries: int


class XComCreateBody(Body):
    """A value to be left."""

    key: str = Field(min_length=1, max_length=500)
    value: Any
    map_index: WholeNumber = UNMAPPED


class XComUpdateBody(Body):
    """A value to take the place of one."""

    value: Any
    map_index: WholeNumber = UNMAPPED
