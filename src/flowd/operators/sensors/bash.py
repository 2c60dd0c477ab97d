"""BashSensor: waits until a bash command exits with 0."""

from collections.abc import Mapping, Sequence
from typing import Any

from flowd.operators.bash import BashOperator
from flowd.sdk.base_sensor import BaseSensorOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowFailException


class BashSensor(BashOperator, BaseSensorOperator):
    """Poke by running `bash_command`: exit code 0 is done, any other is not yet, `retry_exit_code` and others fail.

    With `retry_exit_code`, that exit code alone means not yet, and any other fails the try.
    """

    template_fields: Sequence[str] = ("bash_command", "env")

    def __init__(
        self,
        *,
        bash_command: str,
        env: Mapping[str, str] | None = None,
        output_encoding: str = "utf-8",
        retry_exit_code: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            bash_command=bash_command, env=env, output_encoding=output_encoding, skip_on_exit_code=None, **kwargs
        )
        self.retry_exit_code = retry_exit_code

    def execute(self, context: Context) -> Any:
        """Run the command until it exits with 0."""
        return BaseSensorOperator.execute(self, context)

    def poke(self, context: Context) -> bool:
        """Run the command once."""
        exit_code, _ = self.run_command(context)
        if exit_code and self.retry_exit_code is not None and exit_code != self.retry_exit_code:
            raise AirflowFailException(
                f"the bash command exited with {exit_code}; wanted 0, or {self.retry_exit_code} for not yet"
            )
        return exit_code == 0
