"""Deferrable: what an operator does to wait for a trigger without a slot and a process."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, NoReturn

from flowd.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout, TaskDeferred
from flowd.sdk.triggers import StartTriggerArgs

FAIL = "__fail__"
"""The name of the method at which a task goes on whose trigger failed."""

TIMEOUT = "Trigger timeout"
"""What `error` says where the trigger did not fire in time."""


class Deferrable:
    """An operator that may defer itself."""

    start_trigger_args: ClassVar[StartTriggerArgs | None] = None
    start_from_trigger: ClassVar[bool] = False

    def defer(
        self,
        *,
        trigger: Any,
        method_name: str,
        kwargs: Mapping[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> NoReturn:
        """Give up slot and process; go on at `method_name(context, event=…, **kwargs)` when the trigger has fired.

        The trigger and `kwargs` are stored as JSON, as XComs are. After `timeout` the try fails with
        TaskDeferralTimeout.
        """
        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on at `next_method`; raise TaskDeferralError or TaskDeferralTimeout where the trigger failed."""
        kwargs = dict(next_kwargs or {})
        if next_method == FAIL:
            error = kwargs.get("error", "its trigger failed")
            raise TaskDeferralTimeout(error) if error == TIMEOUT else TaskDeferralError(error)
        return getattr(self, next_method)(context, **kwargs)
