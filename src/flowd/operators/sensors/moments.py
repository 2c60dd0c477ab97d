"""Sensors that wait for a moment: an hour of the day, a time after the run, a date, a day of the week."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.triggers.temporal import DateTimeTrigger
from flowd.sdk.base_sensor import BaseSensorOperator
from flowd.sdk.context import Context

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class MomentSensor(BaseSensorOperator):
    """Wait until a moment that is known when the first poke comes.

    With `deferrable` the task is deferred until then, without slot and process and without a poke between; `timeout` is
    not looked at. With `end_from_trigger` it has then succeeded, and nothing of it is executed any more.
    """

    def __init__(
        self,
        *,
        deferrable: bool = False,
        end_from_trigger: bool = False,
        start_from_trigger: bool = False,
        trigger_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable, self.end_from_trigger = deferrable or start_from_trigger, end_from_trigger

    def execute(self, context: Context) -> Any:
        """Wait, or defer."""
        moment = self.moment(context) if self.deferrable else None
        if moment is None:
            return super().execute(context)
        if datetime.now(UTC) < moment:
            trigger = DateTimeTrigger(moment, end_from_trigger=self.end_from_trigger)
            self.defer(trigger=trigger, method_name="execute_complete")
        return None

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """The moment has come."""

    def moment(self, context: Context) -> datetime:
        """Return the moment; each sensor defines its own."""
        raise NotImplementedError(f"{type(self).__name__} must define moment(self, context)")

    def poke(self, context: Context) -> bool:
        """Return True where the moment has come."""
        moment = self.moment(context)
        self.log.info("waiting for %s", moment.isoformat())
        return datetime.now(UTC) >= moment


class TimeSensor(MomentSensor):
    """Wait until `target_time` of the present day, in the DAG's time zone."""

    def __init__(self, *, target_time: time, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_time = target_time

    def moment(self, context: Context) -> datetime:
        """Return that hour of the day on which the task began to wait."""
        zone = self.target_time.tzinfo or self.dag.timezone
        begun = context["ti"].waits_since or context["ti"].start_date
        return datetime.combine(begun.astimezone(zone).date(), self.target_time.replace(tzinfo=None), zone)


class TimeDeltaSensor(MomentSensor):
    """Wait until `delta` after the end of the run's data interval; without one, after its `run_after`."""

    def __init__(self, *, delta: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.delta = delta

    def moment(self, context: Context) -> datetime:
        """Return the end of the interval, and `delta`."""
        run = context["dag_run"]
        after: datetime = run.data_interval_end or run.run_after
        return after + self.delta


class WaitSensor(MomentSensor):
    """Wait for `time_to_wait`, a timedelta or minutes, from the first poke on."""

    def __init__(self, *, time_to_wait: timedelta | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.time_to_wait = time_to_wait if isinstance(time_to_wait, timedelta) else timedelta(minutes=time_to_wait)

    def moment(self, context: Context) -> datetime:
        """Return the first poke, and the time to wait."""
        begun: datetime = context["ti"].waits_since or context["ti"].start_date
        return begun + self.time_to_wait


class DateTimeSensor(MomentSensor):
    """Wait until `target_time`, a datetime or a text that may be a template."""

    template_fields: Sequence[str] = ("target_time",)

    def __init__(self, *, target_time: datetime | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_time = target_time.isoformat() if isinstance(target_time, datetime) else target_time

    def moment(self, context: Context) -> datetime:
        """Return the date; one without a zone is of the DAG's."""
        moment = datetime.fromisoformat(self.target_time)
        return moment if moment.tzinfo else moment.replace(tzinfo=self.dag.timezone)


class DateTimeSensorAsync(DateTimeSensor):
    """A DateTimeSensor that is deferred."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"deferrable": True, **kwargs})


class TimeSensorAsync(TimeSensor):
    """A TimeSensor that is deferred."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"deferrable": True, **kwargs})


class TimeDeltaSensorAsync(TimeDeltaSensor):
    """A TimeDeltaSensor that is deferred."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"deferrable": True, **kwargs})


class DayOfWeekSensor(BaseSensorOperator):
    """Wait until it is one of the days `week_day`: names, or numbers from Monday, 1, to Sunday, 7.

    With `use_task_logical_date` it is the day of the run's logical date that counts, which never changes.
    """

    def __init__(
        self,
        *,
        week_day: Any,
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or use_task_execution_day
        self._numbers = week_days(week_day, f"task {self.task_id!r}: week_day")

    def poke(self, context: Context) -> bool:
        """Return True on these days."""
        date = context["logical_date"] if self.use_task_logical_date else datetime.now(self.dag.timezone)
        return date.astimezone(self.dag.timezone).isoweekday() in self._numbers


def week_days(given: Any, where: str) -> frozenset[int]:
    """Return the numbers, from Monday's 1, of days given by name, number or an enumeration's member, one or many."""
    many = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    return frozenset(_week_day(one, where) for one in many)


def _week_day(given: Any, where: str) -> int:
    value = getattr(given, "name", given)
    if isinstance(value, str) and value.lower() in _DAYS:
        return _DAYS.index(value.lower()) + 1
    if isinstance(value, int) and 1 <= value <= len(_DAYS):
        return value
    raise InvalidDag(f"{where} is {given!r}, wanted the name of a day, such as 'Monday', or a number from 1 to 7")
