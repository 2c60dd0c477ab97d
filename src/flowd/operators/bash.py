"""BashOperator: runs a command or script with bash."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flowd.domain.work import BashWork, Work
from flowd.operators.relayed_process import RelayedProcess
from flowd.sdk import listeners
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.exceptions import AirflowException, AirflowSkipException

_ALWAYS_KEPT = ("PATH", "HOME", "LANG")
_MARKERS = ("{{", "{%", "{#")


class BashOperator(BaseOperator):
    """Run `bash_command`; its output is the log, the last line of it the XCom.

    A command that ends in .sh or .bash names a template file. `env` replaces the environment but for PATH, HOME and
    LANG, or adds to it with `append_env`. An exit code of `skip_on_exit_code` skips the task, any other but 0 fails
    it. A command with nothing to render and no callback runs on the worker without Python.
    """

    template_fields: Sequence[str] = ("bash_command", "env", "cwd")
    template_ext: Sequence[str] = (".sh", ".bash")
    template_fields_renderers = {"bash_command": "bash", "env": "json"}  # noqa: RUF012
    ui_color = "#f0ede4"

    def __init__(
        self,
        *,
        bash_command: Any,
        env: Mapping[str, str] | None = None,
        append_env: bool = False,
        output_encoding: str = "utf-8",
        skip_on_exit_code: int | Container[int] | None = 99,
        cwd: str | None = None,
        output_processor: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command = bash_command
        self.env = env
        self.append_env = append_env
        self.output_encoding = output_encoding
        self.skip_on_exit_code = exit_codes(skip_on_exit_code)
        self.cwd = cwd
        self.output_processor = output_processor
        self._process: RelayedProcess | None = None

    def execute(self, context: Any) -> Any:
        """Run the command and return its last line; raise AirflowSkipException or AirflowException by its exit code."""
        exit_code, last_line = self.run_command(context)
        if exit_code in self.skip_on_exit_code:
            raise AirflowSkipException(f"the bash command exited with {exit_code}, which means: skip")
        if exit_code != 0:
            raise AirflowException(f"the bash command exited with {exit_code}; wanted 0")
        return last_line if self.output_processor is None else self.output_processor(last_line)

    def run_command(self, context: Any) -> tuple[int, str]:
        """Run the command and return its exit code and its last line."""
        with self._folder() as folder:
            return self._run(folder, self._environment(context))

    def on_kill(self) -> None:
        """End the command and what it started."""
        if self._process is not None:
            self._process.end()

    def plain_work(self) -> Work | None:
        """Return the script, where nothing about it needs Python."""
        if type(self) is not BashOperator or not self._is_plain():
            return None
        return BashWork(
            script=self.bash_command,
            env=None if self.env is None else dict(self.env),
            append_env=self.append_env,
            cwd=self.cwd,
            skip_exit_codes=self.skip_on_exit_code,
            push_last_line=self.do_xcom_push,
        )

    @property
    def callable_name(self) -> str:
        """What is called, in words."""
        return "bash"

    def _is_plain(self) -> bool:
        if self.needs_python() or self._needs_process() or self.output_processor or self.output_encoding != "utf-8":
            return False
        # Other delimiters would not be seen below.
        if self.dag.jinja_environment_kwargs or not isinstance(self.env, (Mapping, type(None))):
            return False
        texts = [self.bash_command, *(self.env or {}).keys(), *(self.env or {}).values()]
        texts += [] if self.cwd is None else [self.cwd]
        return all(
            isinstance(text, str)
            and not text.endswith(tuple(self.template_ext))
            and not any(marker in text for marker in _MARKERS)
            for text in texts
        )

    def _needs_process(self) -> bool:
        """Return True where a process of Python's must see the end of the command, or begin it as another user."""
        after = (self.retry_policy, self.run_as_user, self.map_index_template)
        return self.sends_mail or listeners.are_there() or any(one is not None for one in after)

    def _run(self, folder: str, environment: dict[str, str]) -> tuple[int, str]:
        bash = shutil.which("bash") or "bash"
        last_line = ""

        def hear(raw: bytes) -> None:
            nonlocal last_line
            line = raw.decode(self.output_encoding, errors="backslashreplace").rstrip("\r\n")
            last_line = line if line.strip() else last_line
            sys.stdout.write(f"{line}\n")

        self._process = RelayedProcess([bash, "-c", self.bash_command], env=environment, cwd=folder)
        exit_code = self._process.relay(hear)
        return exit_code, last_line

    @contextmanager
    def _folder(self) -> Iterator[str]:
        if self.cwd is None:
            with tempfile.TemporaryDirectory(prefix="flowd-task-", ignore_cleanup_errors=True) as folder:
                yield folder
        elif os.path.isdir(self.cwd):
            yield self.cwd
        else:
            raise AirflowException(f"cwd {self.cwd!r} is no folder on this worker; create it or change cwd")

    def _environment(self, context: Any) -> dict[str, str]:
        inherited = dict(os.environ)
        if self.env is not None and not self.append_env:
            kept = [name for name in inherited if name in _ALWAYS_KEPT or name.startswith("FLOWD_")]
            inherited = {name: inherited[name] for name in kept}
        own = {name: str(value) for name, value in (self.env or {}).items()}
        return {**inherited, **_context_variables(context), **own}


def exit_codes(codes: Any) -> tuple[int, ...]:
    """Return the exit codes that an author gave: one, several or none."""
    if codes is None:
        return ()
    return (codes,) if isinstance(codes, int) else tuple(sorted(codes))


def _context_variables(context: Any) -> dict[str, str]:
    ti = context["ti"]
    date = context["logical_date"]
    variables = {
        "AIRFLOW_CTX_DAG_OWNER": ti.task.owner,
        "AIRFLOW_CTX_DAG_ID": ti.dag_id,
        "AIRFLOW_CTX_TASK_ID": ti.task_id,
        "AIRFLOW_CTX_DAG_RUN_ID": ti.run_id,
        "AIRFLOW_CTX_TRY_NUMBER": str(ti.try_number),
    }
    if date is not None:
        variables["AIRFLOW_CTX_LOGICAL_DATE"] = variables["AIRFLOW_CTX_EXECUTION_DATE"] = date.isoformat()
    return variables
