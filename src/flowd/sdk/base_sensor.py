"""BaseSensorOperator: a task that waits until something is so."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from flowd.domain.errors import InvalidDag
from flowd.sdk.arguments import as_timedelta
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralTimeout,
)

DEFAULT_TIMEOUT = timedelta(days=7)
_MOST_DOUBLINGS = 32

Sensor = TypeVar("Sensor", bound="type[BaseSensorOperator]")


class PokeReturnValue:
    """What `poke` may return: whether the sensor is done, and what is then pushed as its XCom."""

    def __init__(self, is_done: bool, xcom_value: Any = None) -> None:
        self.is_done = is_done
        self.xcom_value = xcom_value

    def __bool__(self) -> bool:
        return self.is_done


class BaseSensorOperator(BaseOperator):
    """Call `poke` every `poke_interval` until it returns something true, at most for `timeout`.

    In mode `poke` the task keeps its slot and its process between two pokes. In mode `reschedule` it holds neither, and
    each poke is a leg of the same try. The timeout counts from the first poke; where the task is rescheduled, retries
    do not begin it anew. Past it the sensor fails without a retry, or with `soft_fail` is skipped. `never_fail` skips
    it whatever it raises; `silent_fail` takes an error of `poke` for "not yet". With `exponential_backoff` the
    intervals double, with some jitter, up to `max_wait`.
    """

    ui_color = "#e6f1f2"
    valid_modes: Sequence[str] = ("poke", "reschedule")

    def __init__(
        self,
        *,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float = DEFAULT_TIMEOUT,
        soft_fail: bool = False,
        mode: str = "poke",
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        silent_fail: bool = False,
        never_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"sensor {self.task_id!r}"
        self.poke_interval = as_timedelta(poke_interval, f"{where}: poke_interval").total_seconds()
        self.timeout = as_timedelta(timeout, f"{where}: timeout").total_seconds()
        self.max_wait = None if max_wait is None else as_timedelta(max_wait, f"{where}: max_wait")
        if min(self.poke_interval, self.timeout) < 0:
            raise InvalidDag(f"{where}: poke_interval and timeout are times to wait, which cannot be negative")
        if mode not in self.valid_modes:
            raise InvalidDag(f"{where}: mode is {mode!r}, wanted {' or '.join(self.valid_modes)}")
        if soft_fail and never_fail:
            raise InvalidDag(f"{where}: soft_fail and never_fail are both set; never_fail alone does what both would")
        self.mode = mode
        self.soft_fail, self.never_fail, self.silent_fail = soft_fail, never_fail, silent_fail
        self.exponential_backoff = exponential_backoff

    def poke(self, context: Any) -> bool | PokeReturnValue:
        """Return whether what is waited for is there; each sensor defines its own."""
        raise AirflowException(f"{type(self).__name__} {self.task_id!r} waits for nothing: define poke(self, context)")

    @property
    def reschedule(self) -> bool:
        """True where it gives up its slot between two pokes."""
        return self.mode == "reschedule"

    def execute(self, context: Any) -> Any:
        """Poke until it is done, and return the XCom value that came with it."""
        ti = context["ti"]
        since = ti.waits_since if self.reschedule else None
        begun, waited = time.monotonic(), (datetime.now(UTC) - since).total_seconds() if since else 0.0
        pokes = ti.leg if self.reschedule else 0
        while True:
            done = self._poke(context)
            pokes += 1
            if done:
                self.log.info("what was waited for is there")
                return done.xcom_value if isinstance(done, PokeReturnValue) else None
            left = self.timeout - waited - (time.monotonic() - begun)
            if left <= 0:
                raise self._skipped_or(AirflowSensorTimeout(f"it waited longer than its timeout of {self.timeout:g} s"))
            wait = min(self._wait_after(pokes), left)
            if self.reschedule:
                raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=wait))
            time.sleep(wait)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral; as in a poke, a timeout is the sensor's, and `soft_fail` skips instead of failing."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException:
            raise
        except TaskDeferralTimeout as error:
            raise self._skipped_or(
                AirflowSensorTimeout(f"it waited longer than its timeout of {self.timeout:g} s")
            ) from error
        except AirflowException as error:
            raise self._skipped_or(error) from error

    def _poke(self, context: Any) -> bool | PokeReturnValue:
        try:
            return self.poke(context)
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as error:
            raise self._skipped_or(error) from error
        except Exception as error:
            if self.silent_fail:
                self.log.exception("the poke failed, which counts as not yet")
                return False
            if self.never_fail:
                raise AirflowSkipException(f"skipped, as never_fail is set: {error}") from error
            raise

    def _skipped_or(self, error: Exception) -> Exception:
        """Return `error` or, where the sensor must not fail, the skip that takes its place."""
        if self.soft_fail or self.never_fail:
            return AirflowSkipException(f"skipped, as {'soft' if self.soft_fail else 'never'}_fail is set: {error}")
        return error

    def _wait_after(self, pokes: int) -> float:
        if not self.exponential_backoff:
            return self.poke_interval
        # Sensors that begin together must not stay together.
        wait: float = self.poke_interval * 2 ** min(pokes - 1, _MOST_DOUBLINGS) * random.uniform(1, 1.25)
        return min(wait, self.max_wait.total_seconds()) if self.max_wait is not None else wait


def poke_mode_only(sensor: Sensor) -> Sensor:
    """Let a sensor class refuse every mode but `poke`."""
    sensor.valid_modes = ("poke",)
    return sensor
