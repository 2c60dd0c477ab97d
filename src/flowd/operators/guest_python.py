"""GuestPythonOperator: calls a function in another Python interpreter; ExternalPythonOperator names which."""

import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators import guest
from flowd.operators.bash import exit_codes
from flowd.operators.branch import follow
from flowd.operators.call_arguments import arguments_for, signature_of
from flowd.operators.function_source import check_function, source_of
from flowd.operators.python import PythonOperator
from flowd.operators.relayed_process import RelayedProcess
from flowd.operators.returned_value import log_returned
from flowd.sdk.context import CONTEXT_KEYS, Context
from flowd.sdk.exceptions import AirflowException, AirflowSkipException, DagWarning
from flowd.sdk.xcom_json import from_json, to_json

_STAYS = frozenset(
    (
        "asset_state_store", "conn", "dag", "dag_run", "exception", "inlet_events", "inlets", "macros", "outlet_events",
        "outlets", "task", "task_instance", "task_state_store", "ti", "triggering_asset_events",
        "triggering_dataset_events", "var",
    )
)  # fmt: skip
PASSED_KEYS = CONTEXT_KEYS - _STAYS
"""What of the context can be given to a function elsewhere: dates, texts and params."""

_SERIALIZERS = ("pickle", "dill", "cloudpickle")


class GuestPythonOperator(PythonOperator):
    """Call a function made with `def` in an interpreter of its own; its imports must be within it.

    Arguments and the returned value pass as JSON, with dates, decimals, tuples and sets; never as pickles. Of the
    context a function is given the dates, texts and params that its parameters name. `string_args` are in the global
    `virtualenv_string_args`. An exit code of `skip_on_exit_code` skips the task.
    """

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        string_args: Iterable[str] | None = None,
        serializer: str | None = None,
        use_dill: bool = False,
        expect_airflow: bool = True,
        expect_pendulum: bool = False,
        skip_on_exit_code: int | Container[int] | None = None,
        env_vars: Mapping[str, str] | None = None,
        inherit_env: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)
        where = f"task {self.task_id!r}"
        check_function(python_callable, where)
        _check_context(python_callable, self.op_args, self.op_kwargs, where)
        _check_serializer("dill" if use_dill else serializer, where)
        self.string_args = [str(one) for one in string_args or ()]
        self.expect_airflow, self.expect_pendulum = expect_airflow, expect_pendulum
        self.skip_on_exit_code = exit_codes(skip_on_exit_code)
        self.env_vars, self.inherit_env = env_vars, inherit_env
        self._process: RelayedProcess | None = None

    def call_with(self, python: str, context: Context) -> Any:
        """Call the function with this interpreter and return what it returns; raise as the exit code says."""
        source = source_of(self.python_callable)
        document = {
            "source": source.text,
            "name": source.name,
            "file": source.file,
            "line": source.line,
            "string_args": self.string_args,
            "args": to_json(list(self.op_args)),
            "kwargs": to_json(self._keywords(context)),
        }
        with tempfile.TemporaryDirectory(prefix="flowd-guest-", ignore_cleanup_errors=True) as folder:
            given, answer = Path(folder, "input.json"), Path(folder, "output.json")
            given.write_text(json.dumps(document), encoding="utf-8")
            exit_code = self._run([python, guest.__file__, str(given), str(answer)])
            told = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {}
        if exit_code in self.skip_on_exit_code:
            raise AirflowSkipException(f"the function exited with {exit_code}, which means: skip")
        if "value" not in told:
            reason = told.get("error") or f"its interpreter ended with exit code {exit_code} and no value"
            raise AirflowException(f"task {self.task_id!r} failed in {python}: {reason}")
        returned = from_json(told["value"])
        if self.show_return_value_in_logs:
            log_returned(self.log, returned)
        return returned

    def on_kill(self) -> None:
        """End the interpreter and what it started."""
        if self._process is not None:
            self._process.end()

    def _keywords(self, context: Context) -> dict[str, Any]:
        parameters = signature_of(self.python_callable).parameters.values()
        takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters)
        named = {one.name for one in parameters}
        passed = {name: context[name] for name in PASSED_KEYS if takes_all or name in named}
        offered = {**passed, **self.op_kwargs}
        if takes_all or "templates_dict" in named:
            offered["templates_dict"] = self.templates_dict
        return arguments_for(self.python_callable, self.op_args, offered)

    def _run(self, command: Sequence[str]) -> int:
        inherited = dict(os.environ) if self.inherit_env else {"PATH": os.environ.get("PATH", os.defpath)}
        # Where flowd's own modules are is nothing that another interpreter should find.
        inherited.pop("PYTHONPATH", None)
        env = {**inherited, **{name: str(value) for name, value in (self.env_vars or {}).items()}}
        self._process = RelayedProcess(command, env=env)
        return self._process.relay(lambda line: sys.stdout.write(line.decode("utf-8", errors="backslashreplace")))


class ExternalPythonOperator(GuestPythonOperator):
    """Call a function with the interpreter `python` (a path, or a name on PATH), whose packages are there already."""

    template_fields: Sequence[str] = (*PythonOperator.template_fields, "python", "string_args", "env_vars")

    def __init__(self, *, python: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not python:
            raise InvalidDag(f"task {self.task_id!r}: python is empty; give the path of an interpreter")
        self.python = os.fspath(python)

    def execute(self, context: Context) -> Any:
        """Call the function; raise AirflowException where the interpreter is not on this worker."""
        python = shutil.which(self.python)
        if python is None:
            raise AirflowException(
                f"task {self.task_id!r}: there is no Python at {self.python!r} on this worker; install it, or route "
                "the task by its queue to workers that have it"
            )
        return self.call_with(python, context)


class BranchExternalPythonOperator(ExternalPythonOperator):
    """A branch chosen by a function in another interpreter."""

    def execute(self, context: Context) -> Any:
        """Call the function, and skip what it did not choose."""
        return follow(self, super().execute(context), context)


def _check_context(
    function: Callable[..., Any], op_args: Collection[Any], op_kwargs: Mapping[str, Any], where: str
) -> None:
    parameters = list(signature_of(function).parameters.values())[len(op_args) :]
    for one in parameters:
        if one.name in _STAYS and one.default is one.empty and one.name not in op_kwargs:
            raise InvalidDag(
                f"{where}: its function asks for {one.name!r}, which cannot enter another interpreter; of the context "
                f"there are {', '.join(sorted(PASSED_KEYS))}; pass what else it needs as an argument or template"
            )


def _check_serializer(serializer: str | None, where: str) -> None:
    if serializer is None:
        return
    if serializer not in _SERIALIZERS:
        raise InvalidDag(f"{where}: serializer is {serializer!r}, wanted one of {', '.join(_SERIALIZERS)}")
    warnings.warn(
        f"{where}: serializer={serializer!r} has no effect; values pass as JSON, with dates, decimals, tuples and sets",
        DagWarning,
        stacklevel=4,
    )
