"""Human in the loop: tasks that ask a person, and go on with the answer."""

import json
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from flowd.domain.errors import InvalidDag
from flowd.operators.branch import follow
from flowd.operators.triggers.hitl import HITLTrigger
from flowd.sdk.arguments import as_timedelta
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import (
    AirflowException,
    DagWarning,
    HITLRejectException,
    HITLTimeoutError,
    HITLTriggerEventError,
)
from flowd.sdk.param import ParamsDict
from flowd.sdk.plain_json import plain_json
from flowd.sdk.supervisor import ask


class HITLOperator(BaseOperator):
    """Ask a person to choose among `options`, and to fill in `params`; deferred until there is an answer.

    It is answered on the task's page, or over the REST API. With `multiple`, several options may be chosen. After
    `response_timeout` the `defaults` are taken; without any the task fails. `assigned_users` (id and name) alone may
    answer, where they are given. `notifiers` are called when the question is asked. The XCom is the answer:
    chosen_options, params_input, responded_at and responded_by_user. `hitl_summary` says what is asked, and later what
    became of it, for listeners, callbacks and notifiers; `hitl_summary_extra` is where a subclass adds to it.
    """

    template_fields: Collection[str] = ("subject", "body")

    def __init__(
        self,
        *,
        subject: str,
        options: Sequence[str],
        body: str | None = None,
        defaults: str | Sequence[str] | None = None,
        multiple: bool = False,
        params: Mapping[str, Any] | None = None,
        notifiers: Any = None,
        assigned_users: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        response_timeout: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"task {self.task_id!r}"
        if self.execution_timeout is not None and response_timeout is None:
            warnings.warn(
                f"{where}: execution_timeout of a question to a person is taken for response_timeout; write that",
                DagWarning,
                stacklevel=2,
            )
            response_timeout, self.execution_timeout = self.execution_timeout, None
        self.response_timeout = (
            None if response_timeout is None else as_timedelta(response_timeout, f"{where}: response_timeout")
        )
        self.subject, self.body, self.multiple = subject, body, multiple
        self.options = list(options)
        self.defaults = [defaults] if isinstance(defaults, str) else None if defaults is None else list(defaults)
        # The DAG's own parameters are no fields of the form.
        self.params = ParamsDict(params)
        self.notifiers = list(notifiers) if isinstance(notifiers, (list, tuple)) else [notifiers] if notifiers else []
        users = [assigned_users] if isinstance(assigned_users, Mapping) else assigned_users or []
        self.assigned_users = [dict(user) for user in users]
        self.hitl_summary_extra: dict[str, Any] = {}
        self._check(where)

    @property
    def hitl_summary(self) -> dict[str, Any]:
        """What is asked, as it is rendered by now, and what is known of the answer; a new dict each time."""
        return {
            "subject": self.subject,
            "body": self.body,
            "options": self.options,
            "defaults": self.defaults,
            "multiple": self.multiple,
            "assigned_users": self.assigned_users or None,
            "serialized_params": self._fields() or None,
            **self.hitl_summary_extra,
        }

    def execute(self, context: Context) -> Any:
        """Ask, and defer."""
        ask(
            "hitl_ask",
            subject=self.subject,
            body=self.body,
            options=self.options,
            defaults=self.defaults,
            multiple=self.multiple,
            params=self._fields(),
            assigned_users=self.assigned_users,
        )
        self.log.info("waiting for an answer to: %s", self.subject)
        until = None if self.response_timeout is None else datetime.now(UTC) + self.response_timeout
        self.hitl_summary_extra["timeout_datetime"] = None if until is None else until.isoformat()
        for notifier in self.notifiers:
            notifier(context)
        self.defer(trigger=HITLTrigger(defaults=self.defaults, timeout_datetime=until), method_name="execute_complete")

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Return the answer; raise HITLTimeoutError where there was none in time."""
        answer = json.loads(event) if isinstance(event, str) else dict(event)
        if "error" in answer:
            self.hitl_summary_extra["error_type"] = answer.get("error_type")
            kind = HITLTimeoutError if answer.get("error_type") == "timeout" else HITLTriggerEventError
            raise kind(f"{self.subject}: {answer['error']}")
        if answer.get("params_input") is None:
            answer["params_input"] = self.params.dump()
        if answer.get("timedout"):
            ask("hitl_timed_out", chosen_options=answer["chosen_options"], params_input=answer["params_input"])
        if unknown := sorted(set(answer["chosen_options"]) - set(self.options)):
            raise AirflowException(f"{', '.join(unknown)} was answered; wanted of: {', '.join(self.options)}")
        at = answer["responded_at"]
        responded_at = datetime.fromisoformat(at) if isinstance(at, str) else at
        given = {
            "chosen_options": list(answer["chosen_options"]),
            "params_input": dict(answer["params_input"]),
            "responded_at": responded_at,
            "responded_by_user": answer.get("responded_by_user"),
        }
        self.hitl_summary_extra |= {**given, "responded_at": responded_at.isoformat()}
        return given

    def generate_link_to_ui(
        self,
        *,
        task_instance: Any,
        base_url: str | None = None,
        options: str | Sequence[str] | None = None,
        params_input: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the address of the page where a person answers, with the form filled in as these say.

        The server's address is `base_url` or FLOWD_API_URL. Raises ValueError where there is neither, and for an option
        or parameter that the question has not.
        """
        chosen = [options] if isinstance(options, str) else list(options or ())
        filled = dict(params_input or {})
        if unknown := sorted({*chosen} - {*self.options}):
            raise ValueError(f"{', '.join(unknown)}: no such option; there are {', '.join(self.options)}")
        if unknown := sorted({*filled} - {*self.params}):
            raise ValueError(f"{', '.join(unknown)}: no such param; there are {', '.join(self.params) or 'none'}")
        base = (base_url or os.environ.get("FLOWD_API_URL", "")).rstrip("/")
        if not base:
            raise ValueError("where the server is, is not known: give base_url, or set FLOWD_API_URL on the workers")
        # By the names of the form's fields; what is no text is JSON there.
        fields = {f"param:{name}": one if isinstance(one, str) else json.dumps(one) for name, one in filled.items()}
        query = urlencode({"option": chosen, **fields}, doseq=True)
        return f"{base}{task_instance.page_path}" + (f"?{query}" if query else "")

    @staticmethod
    def generate_link_to_ui_from_context(
        *,
        context: Context,
        base_url: str | None = None,
        options: str | Sequence[str] | None = None,
        params_input: Mapping[str, Any] | None = None,
    ) -> str:
        """As `generate_link_to_ui`, for the question that is the context's task."""
        task = context["task"]
        if not isinstance(task, HITLOperator):
            raise ValueError(f"task {task.task_id!r} asks nobody; the link is that of a HITLOperator's page")
        return task.generate_link_to_ui(
            task_instance=context["ti"], base_url=base_url, options=options, params_input=params_input
        )

    def _fields(self) -> dict[str, Any]:
        return {name: plain_json(param.dump()) for name, param in self.params.params().items()}

    def _check(self, where: str) -> None:
        if not self.options:
            raise InvalidDag(f"{where}: options is empty; give what a person may choose")
        if "_options" in self.params:
            raise InvalidDag(f"{where}: a param cannot be called _options; give it another name")
        unknown = sorted(set(self.defaults or ()) - set(self.options))
        if unknown:
            raise InvalidDag(f"{where}: defaults has {', '.join(unknown)}; wanted of: {', '.join(self.options)}")
        if not self.multiple and len(self.defaults or ()) > 1:
            raise InvalidDag(f"{where}: defaults has several options; set multiple=True, or give one")


class ApprovalOperator(HITLOperator):
    """Ask for approval. After "Reject" what is behind is skipped, or with `fail_on_reject` the task fails.

    With `ignore_downstream_trigger_rules` everything behind is skipped, without only the direct downstream tasks.
    """

    APPROVE: ClassVar[str] = "Approve"
    REJECT: ClassVar[str] = "Reject"

    def __init__(
        self, *, ignore_downstream_trigger_rules: bool = False, fail_on_reject: bool = False, **kwargs: Any
    ) -> None:
        if given := sorted({"options", "multiple"} & kwargs.keys()):
            raise InvalidDag(f"ApprovalOperator {kwargs.get('task_id')!r}: {' and '.join(given)} cannot be given")
        super().__init__(options=[self.APPROVE, self.REJECT], multiple=False, **kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self.fail_on_reject = fail_on_reject
        self.hitl_summary_extra |= {
            "ignore_downstream_trigger_rules": ignore_downstream_trigger_rules,
            "fail_on_reject": fail_on_reject,
        }

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Return the answer, and skip what is behind a rejection."""
        answer = super().execute_complete(context, event)
        is_approved = answer["chosen_options"] == [self.APPROVE]
        self.hitl_summary_extra["approved"] = is_approved
        if is_approved:
            return answer
        if self.fail_on_reject:
            raise HITLRejectException(f"{self.subject}: rejected")
        behind = self.get_flat_relatives() if self.ignore_downstream_trigger_rules else self.downstream_list
        context["ti"].skip(sorted(task.task_id for task in behind if not task.is_teardown))
        return answer


class HITLBranchOperator(HITLOperator):
    """Ask which branch to follow: options are ids of direct downstream tasks, or `options_mapping` says the ids."""

    def __init__(self, *, options_mapping: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options_mapping = dict(options_mapping or {})
        self.hitl_summary_extra["options_mapping"] = self.options_mapping
        where = f"task {self.task_id!r}: options_mapping"
        if unknown := sorted(self.options_mapping.keys() - set(self.options)):
            raise InvalidDag(f"{where} has {', '.join(unknown)}, which is no option: {', '.join(self.options)}")
        if wrong := sorted(name for name, task_id in self.options_mapping.items() if not isinstance(task_id, str)):
            raise InvalidDag(f"{where}: the values of {', '.join(wrong)} are no text; wanted ids of tasks")

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Follow what was chosen, and skip the other branches."""
        answer = super().execute_complete(context, event)
        branches = [self.options_mapping.get(one, one) for one in answer["chosen_options"]]
        self.hitl_summary_extra["branches_to_execute"] = branches
        return follow(self, branches, context)


class HITLEntryOperator(HITLOperator):
    """Ask for `params` to be filled in; the one option is "OK" unless others are given."""

    OK: ClassVar[str] = "OK"

    def __init__(self, **kwargs: Any) -> None:
        if "options" not in kwargs:
            kwargs = {"options": [self.OK], "defaults": [self.OK], **kwargs}
        super().__init__(**kwargs)
