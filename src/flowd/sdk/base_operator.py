"""BaseOperator: a task as its author describes it, and what it does when it is executed."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from flowd.domain.errors import InvalidDag
from flowd.domain.task_spec import DEFAULT_POOL, DEFAULT_QUEUE
from flowd.domain.work import Work
from flowd.sdk.arguments import as_aware, as_timedelta, as_whole_number
from flowd.sdk.callbacks import TASK_CALLBACKS
from flowd.sdk.dag_context import current_dag, current_group, detached, is_detached
from flowd.sdk.deferrable import Deferrable
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.identifiers import check_identifier
from flowd.sdk.keywords import refuse_unknown
from flowd.sdk.mapped_call import MappedCall
from flowd.sdk.operator_defaults import accepted_keywords, fill_from_default_args
from flowd.sdk.operator_partial import OperatorPartial
from flowd.sdk.param import ParamsDict
from flowd.sdk.retry_policy import RetryPolicy
from flowd.sdk.task_role import TaskWithRole
from flowd.sdk.templated import Templated
from flowd.sdk.xcom_arg import RETURN_KEY, XComArg, operators_in

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG
    from flowd.sdk.expand_input import ExpandInput
    from flowd.sdk.task_group import TaskGroup

DEFAULT_OWNER = "airflow"

Callbacks = Callable[..., Any] | Sequence[Callable[..., Any]] | None


class BaseOperator(Templated, TaskWithRole, Deferrable):
    """A task. Subclasses take their own arguments, pass the rest to `super().__init__(**kwargs)` and define `execute`.

    The attributes named in `template_fields` are rendered with Jinja before `execute`; a value that ends with one of
    `template_ext` names a file to render.
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {}
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    custom_operator_name: str | None = None
    operator_extra_links: Collection[Any] = ()
    is_mapped_over = False
    """True where a mapped task, or group, expands over what this one returns."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = fill_from_default_args(vars(cls)["__init__"])  # type: ignore[method-assign]

    @fill_from_default_args
    def __init__(
        self,
        *,
        task_id: str,
        owner: str = DEFAULT_OWNER,
        email: str | Sequence[str] | None = None,
        email_on_retry: bool = True,
        email_on_failure: bool = True,
        retries: int | None = 0,
        retry_delay: timedelta | float = timedelta(minutes=5),
        retry_exponential_backoff: bool | float = False,
        max_retry_delay: timedelta | float | None = None,
        retry_policy: RetryPolicy | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        depends_on_past: bool = False,
        ignore_first_depends_on_past: bool = True,
        wait_for_past_depends_before_skipping: bool = False,
        wait_for_downstream: bool = False,
        dag: "DAG | None" = None,
        task_group: "TaskGroup | None" = None,
        params: Mapping[str, Any] | None = None,
        default_args: Mapping[str, Any] | None = None,
        priority_weight: int = 1,
        weight_rule: Any = "downstream",
        queue: str = DEFAULT_QUEUE,
        pool: str | None = None,
        pool_slots: int = 1,
        sla: timedelta | None = None,
        execution_timeout: timedelta | None = None,
        on_execute_callback: Callbacks = None,
        on_failure_callback: Callbacks = None,
        on_success_callback: Callbacks = None,
        on_retry_callback: Callbacks = None,
        on_skipped_callback: Callbacks = None,
        pre_execute: Callable[..., Any] | None = None,
        post_execute: Callable[..., Any] | None = None,
        trigger_rule: str = "all_success",
        resources: Mapping[str, Any] | None = None,
        run_as_user: str | None = None,
        task_concurrency: int | None = None,
        schedule_interval: Any = None,
        max_active_tis_per_dag: int | None = None,
        max_active_tis_per_dagrun: int | None = None,
        executor: str | None = None,
        executor_config: Mapping[str, Any] | None = None,
        do_xcom_push: bool = True,
        multiple_outputs: bool = False,
        inlets: Any = None,
        outlets: Any = None,
        map_index_template: str | None = None,
        doc: str | None = None,
        doc_md: str | None = None,
        doc_json: str | None = None,
        doc_yaml: str | None = None,
        doc_rst: str | None = None,
        task_display_name: str | None = None,
        logger_name: str | None = None,
        allow_nested_operators: bool = True,
        render_template_as_native_obj: bool | None = None,
        xcom_push: bool | None = None,
        on_lost: str = "retry",
        start_method: str = "fork",
        **unknown: Any,
    ) -> None:
        where = f"{type(self).__name__} {task_id!r}"
        if unknown:
            refuse_unknown(unknown, accepted_keywords(type(self)), where=where)
        task_id = check_identifier(task_id, what="task_id")
        dag = dag or (task_group.dag if task_group else None) or current_dag()
        self.task_group = task_group or current_group(dag)
        self.task_id = self.task_group.child_id(task_id) if self.task_group else task_id
        self.upstream_task_ids = set()
        self.downstream_task_ids = set()
        self._dag = None

        self.owner = owner
        self.email, self.email_on_retry, self.email_on_failure = email, email_on_retry, email_on_failure
        self.retries = as_whole_number(retries or 0, f"{where}: retries")
        self.retry_delay = as_timedelta(retry_delay, f"{where}: retry_delay")
        self.retry_exponential_backoff = retry_exponential_backoff
        if retry_policy is not None and not callable(getattr(retry_policy, "evaluate", None)):
            raise InvalidDag(f"{where}: retry_policy is {retry_policy!r}, wanted a RetryPolicy")
        self.retry_policy = retry_policy
        self.max_retry_delay = None
        if max_retry_delay is not None:
            self.max_retry_delay = as_timedelta(max_retry_delay, f"{where}: max_retry_delay")
        self.execution_timeout = None
        if execution_timeout is not None:
            self.execution_timeout = as_timedelta(execution_timeout, f"{where}: execution_timeout")
        self.start_date = as_aware(start_date, dag.timezone if dag else None, f"{where}: start_date")
        self.end_date = as_aware(end_date, dag.timezone if dag else None, f"{where}: end_date")
        self.depends_on_past = depends_on_past or wait_for_downstream
        self.ignore_first_depends_on_past = ignore_first_depends_on_past
        self.wait_for_past_depends_before_skipping = wait_for_past_depends_before_skipping
        self.wait_for_downstream = wait_for_downstream
        self.trigger_rule = trigger_rule

        self.priority_weight = as_whole_number(priority_weight, f"{where}: priority_weight")
        self.weight_rule = weight_rule
        self.queue = queue
        self.pool = pool or DEFAULT_POOL
        self.pool_slots = as_whole_number(pool_slots, f"{where}: pool_slots")
        if self.pool_slots < 1:
            raise InvalidDag(f"{where}: pool_slots is {pool_slots}, wanted 1 or more")
        self.schedule_interval = schedule_interval
        self.max_active_tis_per_dag = max_active_tis_per_dag if task_concurrency is None else task_concurrency
        self.max_active_tis_per_dagrun = max_active_tis_per_dagrun
        self.executor, self.executor_config = executor, dict(executor_config or {})
        self.resources, self.run_as_user, self.sla = resources, run_as_user, sla
        self.on_lost, self.start_method = on_lost, start_method

        self.on_execute_callback = on_execute_callback
        self.on_failure_callback = on_failure_callback
        self.on_success_callback = on_success_callback
        self.on_retry_callback = on_retry_callback
        self.on_skipped_callback = on_skipped_callback
        self._pre_execute_hook = pre_execute
        self._post_execute_hook = post_execute

        self.do_xcom_push = do_xcom_push if xcom_push is None else xcom_push
        self.multiple_outputs = multiple_outputs
        self.inlets, self.outlets = _as_list(inlets), _as_list(outlets)
        self.map_index_template = map_index_template
        self.allow_nested_operators = allow_nested_operators
        self.render_template_as_native_obj = render_template_as_native_obj
        self.doc, self.doc_md, self.doc_json, self.doc_yaml, self.doc_rst = doc, doc_md, doc_json, doc_yaml, doc_rst
        self._task_display_name = task_display_name
        self._logger_name = logger_name

        self.default_args = dict(default_args or {})
        self.params = ParamsDict(dag.params if dag else None)
        self.params.update(ParamsDict(self.default_args.get("params")).params())
        self.params.update(ParamsDict(params).params())
        if is_detached():
            self._dag = dag
        elif dag is not None:
            dag.add_task(self)

    def execute(self, context: Any) -> Any:
        """Do the work and return what is to be pushed as its XCom; `context` is that of `get_current_context()`."""
        raise AirflowException(
            f"{type(self).__name__} {self.task_id!r} does nothing: define execute(self, context) in its class"
        )

    def pre_execute(self, context: Any) -> None:
        """Do what comes before `execute`; the fields are rendered."""
        if self._pre_execute_hook is not None:
            self._pre_execute_hook(context)

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Do what comes after a successful `execute`; `result` is what it returned."""
        if self._post_execute_hook is not None:
            self._post_execute_hook(context, result)

    def on_kill(self) -> None:
        """Clean up when the running task is told to stop: end child processes, cancel remote jobs."""

    def plain_work(self) -> Work | None:
        """Return what a worker, or nobody, can do without this operator's Python; None where its Python is needed."""
        return None

    def needs_python(self, callbacks: Sequence[str] = TASK_CALLBACKS) -> bool:
        """Return True where something beside `execute` needs Python: a hook, one of these callbacks, an asset event."""
        called = (getattr(self, name) for name in callbacks)
        return any((self._pre_execute_hook, self._post_execute_hook, self.outlets, *called))

    @property
    def sends_mail(self) -> bool:
        """True where somebody wants a mail when the task fails or is tried again."""
        return bool(self.email) and (self.email_on_failure or self.email_on_retry)

    @property
    def callable_name(self) -> str:
        """What is called when the task executes, in words."""
        return f"{type(self).__qualname__}.execute"

    @property
    def output(self) -> XComArg:
        """What the task will return, to be given to another task."""
        return XComArg(self)

    @property
    def task_type(self) -> str:
        """The name of the operator's class."""
        return type(self).__name__

    @property
    def operator_name(self) -> str:
        """The name pages show for the kind of operator, such as `@task`."""
        return self.custom_operator_name or type(self).__name__

    @property
    def operator_class(self) -> type["BaseOperator"]:
        """The operator's class."""
        return type(self)

    @property
    def task_display_name(self) -> str:
        """The name pages show for the task."""
        return self._task_display_name or self.task_id

    @property
    def log(self) -> logging.Logger:
        """The operator's logger; what it says is in the task's log."""
        return logging.getLogger(self._logger_name or f"{type(self).__module__}.{type(self).__qualname__}")

    logger = log

    @property
    def is_expanded(self) -> bool:
        """True where the task becomes many instances: it is mapped, or in a mapped group."""
        return self.mapped_group is not None

    def link_outputs(self) -> None:
        """Make the task wait for every task whose output is in one of its template fields."""
        if is_detached():
            return
        for field in self.template_fields:
            for upstream in operators_in(getattr(self, field, None)):
                upstream.link_task(self)

    @staticmethod
    def xcom_push(context: Any, key: str, value: Any) -> None:
        """Push an XCom of the running task."""
        context["ti"].xcom_push(key=key, value=value)

    @staticmethod
    def xcom_pull(context: Any, task_ids: Any = None, dag_id: str | None = None, key: str = RETURN_KEY) -> Any:
        """Return an XCom of this run."""
        return context["ti"].xcom_pull(task_ids=task_ids, dag_id=dag_id, key=key)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Begin a mapped task with the arguments that all its instances share; `.expand()` or `.expand_kwargs()` ends.

        Raises InvalidDag for an argument that the operator does not take.
        """
        where = f"{cls.__name__}.partial() {kwargs.get('task_id', '')!r}"
        if "task_id" not in kwargs:
            raise InvalidDag(f"{where}: missing argument 'task_id'")
        known = accepted_keywords(cls)
        refuse_unknown({name: value for name, value in kwargs.items() if name not in known}, known, where=where)
        return OperatorPartial(MappedCall(cls, kwargs, where=where), MappedOperator)

    def __repr__(self) -> str:
        return f"<Task({self.task_type}): {self.task_id}>"

    def _constructed(self) -> None:
        """Called once, when the outermost `__init__` is done."""
        if isinstance(self.template_fields, str):
            raise InvalidDag(
                f"{type(self).__name__}.template_fields is the text {self.template_fields!r}, wanted a tuple; one name "
                f"needs its comma: ({self.template_fields!r},)"
            )
        for field in self.template_fields:
            if not hasattr(self, field):
                raise InvalidDag(f"{type(self).__name__} {self.task_id!r}: template field {field!r} is no attribute")
        self.link_outputs()

    @property
    def _called(self) -> str:
        return f"task {self.task_id!r}"

    def _as_operator(self) -> "BaseOperator":
        return self


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


class MappedOperator(BaseOperator):
    """A task that is expanded: `call` makes the operator of each instance; this one stands for them all in the DAG."""

    def __init__(self, *, call: MappedCall, expand_input: "ExpandInput", **kwargs: Any) -> None:
        self.call = call
        self.expand_input = expand_input
        super().__init__(**kwargs)
        if self.mapped_group is not None:
            raise InvalidDag(
                f"task {self.task_id!r} is expanded within mapped task group {self.mapped_group.group_id!r}: what is "
                "in a mapped group has one instance for each of the group's items, and cannot be expanded once more"
            )

    @staticmethod
    def shared_keywords() -> set[str]:
        """Return what every operator takes, and the scheduler looks at."""
        return accepted_keywords(BaseOperator)

    @property
    def is_expanded(self) -> bool:
        """True."""
        return True

    @property
    def operator_class(self) -> type[BaseOperator]:
        """The class of the operator of each instance."""
        operator_class: type[BaseOperator] = self.call.operator_class
        return operator_class

    @property
    def task_type(self) -> str:
        """The name of that class."""
        return self.operator_class.__name__

    @property
    def operator_name(self) -> str:
        """The name pages show for the kind of operator."""
        return self.operator_class.custom_operator_name or self.task_type

    @property
    def callable_name(self) -> str:
        """What is called when an instance executes, in words."""
        function = self.call.keywords.get("python_callable")
        return getattr(function, "__qualname__", f"{self.operator_class.__qualname__}.execute")

    def link_outputs(self) -> None:
        """Make the task wait for every task whose output it is given, or expands over."""
        for upstream in operators_in(self.call.keywords):
            upstream.link_task(self)
        for upstream in self.expand_input.operators:
            upstream.link_task(self)
        for source in self.expand_input.sources:
            source.is_mapped_over = True

    def unmapped(self, context: Mapping[str, Any]) -> BaseOperator:
        """Return the operator of the instance that runs in `context`; raises what making it raises."""
        expanded, outside = self.expand_input.at(context, context["ti"].map_index)
        with detached():
            made: BaseOperator = self.call.made(expanded, outside, dag=self._dag, task_group=self.task_group)
        made.task_id = self.task_id
        made.upstream_task_ids, made.downstream_task_ids = self.upstream_task_ids, self.downstream_task_ids
        made.start_date, made.end_date = self.start_date, self.end_date
        made._is_setup, made._is_teardown = self._is_setup, self._is_teardown
        return made
