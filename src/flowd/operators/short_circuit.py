"""ShortCircuitOperator: goes on only where its condition holds."""

from typing import Any

from flowd.operators.python import PythonOperator
from flowd.sdk.context import Context


class ShortCircuitOperator(PythonOperator):
    """Call a Python function; where it returns nothing true, skip what is behind.

    With `ignore_downstream_trigger_rules`, everything behind is skipped; without, the direct downstream tasks, and
    the trigger rules decide about the rest.
    """

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules

    def execute(self, context: Context) -> Any:
        """Call the function, and skip what is behind where it returns nothing true."""
        condition = super().execute(context)
        if condition:
            return condition
        self.log.info("the condition is %r: skipping what is behind", condition)
        behind = self.get_flat_relative_ids() if self.ignore_downstream_trigger_rules else self.downstream_task_ids
        context["ti"].skip(sorted(behind))
        return condition
