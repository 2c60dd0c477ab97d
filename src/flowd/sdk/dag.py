"""DAG: a set of tasks, when they run and how much of them may run at once."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from flowd.domain.errors import InvalidDag
from flowd.domain.timetable import TimetableSpec
from flowd.sdk.arguments import as_aware, as_timedelta, as_whole_number
from flowd.sdk.call_site import calling_file
from flowd.sdk.dag_at_hand import DagAtHand
from flowd.sdk.dag_context import enter_dag, leave_dag
from flowd.sdk.exceptions import DuplicateTaskIdFound, TaskNotFound
from flowd.sdk.identifiers import check_identifier
from flowd.sdk.keywords import nearest, refuse_unknown
from flowd.sdk.param import ParamsDict
from flowd.sdk.schedules import split_schedule, timetable_of
from flowd.sdk.setup_scope import note_task
from flowd.sdk.task_group import TaskGroup
from flowd.sdk.xcom_arg import DagParam

if TYPE_CHECKING:
    from flowd.sdk.base_operator import BaseOperator, Callbacks

_UNSET: Any = object()


class DAG(DagAtHand):
    """A DAG. Tasks made in its `with` block, or given `dag=`, are its tasks; the keywords are Airflow 2's and 3's."""

    def __init__(
        self,
        dag_id: str,
        description: str | None = None,
        schedule: Any = _UNSET,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        *,
        schedule_interval: Any = _UNSET,
        timetable: Any = _UNSET,
        full_filepath: str | None = None,
        template_searchpath: str | Iterable[str] | None = None,
        template_undefined: Any = None,
        user_defined_macros: Mapping[str, Any] | None = None,
        user_defined_filters: Mapping[str, Callable[..., Any]] | None = None,
        default_args: Mapping[str, Any] | None = None,
        concurrency: int | None = None,
        max_active_tasks: int | None = None,
        max_active_runs: int | None = None,
        max_consecutive_failed_dag_runs: int = 0,
        dagrun_timeout: timedelta | float | None = None,
        sla_miss_callback: Any = None,
        default_view: str = "grid",
        orientation: str = "LR",
        catchup: bool = False,
        on_success_callback: "Callbacks" = None,
        on_failure_callback: "Callbacks" = None,
        doc_md: str | None = None,
        params: Mapping[str, Any] | None = None,
        access_control: Mapping[str, Any] | None = None,
        is_paused_upon_creation: bool | None = None,
        jinja_environment_kwargs: Mapping[str, Any] | None = None,
        render_template_as_native_obj: bool = False,
        tags: Collection[str] | None = None,
        owner_links: Mapping[str, str] | None = None,
        auto_register: bool = True,
        fail_fast: bool = False,
        fail_stop: bool = False,
        dag_display_name: str | None = None,
        deadline: Any = None,
        allowed_run_types: Any = None,
        disable_bundle_versioning: bool = False,
        rerun_with_latest_version: bool | None = None,
        **unknown: Any,
    ) -> None:
        where = f"DAG {dag_id!r}"
        refuse_unknown(unknown, DAG_KEYWORDS, where=where)
        self.dag_id = check_identifier(dag_id, what="dag_id")
        self.description = description
        self.default_args: dict[str, Any] = dict(default_args or {})
        self.start_date = as_aware(start_date or self.default_args.get("start_date"), None, f"{where}: start_date")
        self.timezone: tzinfo = (self.start_date.tzinfo if self.start_date else None) or UTC
        end_date = end_date or self.default_args.get("end_date")
        self.end_date = as_aware(end_date, self.timezone, f"{where}: end_date")
        self.schedule = _one_schedule(where, schedule, schedule_interval, timetable)
        by_time, self.asset_condition = split_schedule(self.schedule)
        self.timetable: TimetableSpec = timetable_of(by_time, self.timezone, where)
        self.timetable_object = by_time
        self.catchup = catchup

        limit = max_active_tasks if concurrency is None else concurrency
        self.max_active_tasks = as_whole_number(16 if limit is None else limit, f"{where}: max_active_tasks")
        runs = 16 if max_active_runs is None else max_active_runs
        self.max_active_runs = as_whole_number(runs, f"{where}: max_active_runs")
        self.max_consecutive_failed_dag_runs = as_whole_number(
            max_consecutive_failed_dag_runs or 0, f"{where}: max_consecutive_failed_dag_runs"
        )
        if self.max_consecutive_failed_dag_runs < 0:
            raise InvalidDag(f"{where}: max_consecutive_failed_dag_runs is negative; wanted a count, or 0 for no limit")
        self.dagrun_timeout = None
        if dagrun_timeout is not None:
            self.dagrun_timeout = as_timedelta(dagrun_timeout, f"{where}: dagrun_timeout")
        self.fail_fast = fail_fast or fail_stop
        self.is_paused_upon_creation = is_paused_upon_creation
        self.on_success_callback = on_success_callback
        self.on_failure_callback = on_failure_callback
        self.sla_miss_callback = sla_miss_callback
        self.deadline = deadline
        self.allowed_run_types = allowed_run_types
        self.disable_bundle_versioning = disable_bundle_versioning
        self.rerun_with_latest_version = rerun_with_latest_version

        self.params = ParamsDict(params)
        # As in Airflow these come over the DAG's, and are no default of each task then.
        self.params.update(ParamsDict(self.default_args.pop("params", None)).params())
        paths = [template_searchpath] if isinstance(template_searchpath, str) else template_searchpath
        self.template_searchpath: list[str] = list(paths or ())
        self.template_undefined = template_undefined
        self.user_defined_macros = dict(user_defined_macros or {})
        self.user_defined_filters = dict(user_defined_filters or {})
        self.jinja_environment_kwargs = dict(jinja_environment_kwargs or {})
        self.render_template_as_native_obj = render_template_as_native_obj

        self.doc_md = doc_md
        self.tags = _tags(tags, where)
        self.access_control = access_control
        self.owner_links = dict(owner_links or {})
        self.dag_display_name = dag_display_name or dag_id
        self.default_view, self.orientation = default_view, orientation
        self.auto_register = auto_register
        self.fileloc = full_filepath or calling_file()
        self.edge_info: dict[str, dict[str, dict[str, str]]] = {}
        self.task_dict: dict[str, BaseOperator] = {}
        self.task_group = TaskGroup.create_root(self)

    @property
    def folder(self) -> str:
        """The folder of the file that defines the DAG."""
        return str(Path(self.fileloc).parent)

    @property
    def tasks(self) -> "list[BaseOperator]":
        """The tasks, in the order they were made."""
        return list(self.task_dict.values())

    @property
    def task_ids(self) -> list[str]:
        """The ids of the tasks, in the order they were made."""
        return list(self.task_dict)

    @property
    def roots(self) -> "list[BaseOperator]":
        """The tasks that wait for no other."""
        return [task for task in self.tasks if not task.upstream_task_ids]

    @property
    def leaves(self) -> "list[BaseOperator]":
        """The tasks nothing waits for."""
        return [task for task in self.tasks if not task.downstream_task_ids]

    @property
    def first_start_date(self) -> datetime | None:
        """The start date of the DAG, or the first of its tasks' where it has none."""
        return self.start_date or min((task.start_date for task in self.tasks if task.start_date), default=None)

    @property
    def last_end_date(self) -> datetime | None:
        """The end date of the DAG, or the last of its tasks' where it has none and each of them has one."""
        ends = [task.end_date for task in self.tasks]
        return self.end_date or (max(ends) if ends and all(ends) else None)  # type: ignore[type-var]

    @property
    def owner(self) -> str:
        """The owners of the tasks, sorted."""
        return ", ".join(sorted({task.owner for task in self.tasks}))

    def add_task(self, task: "BaseOperator") -> None:
        """Put `task` into the DAG; raise DuplicateTaskIdFound where its id is taken."""
        if self.task_dict.get(task.task_id) is task:
            return
        if task.task_id in self.task_dict:
            raise DuplicateTaskIdFound(
                f"DAG {self.dag_id!r}: task id {task.task_id!r} is taken; give each task its own"
            )
        group = task.task_group or self.task_group
        group.add(task)
        task.task_group = group
        task._dag = self
        task.start_date = task.start_date or self.start_date
        task.end_date = task.end_date or self.end_date
        self.task_dict[task.task_id] = task
        note_task(task)

    def add_tasks(self, tasks: "Iterable[BaseOperator]") -> None:
        """Put several tasks into the DAG."""
        for task in tasks:
            self.add_task(task)

    def has_task(self, task_id: str) -> bool:
        """Return True where the DAG has a task of this id."""
        return task_id in self.task_dict

    def get_task(self, task_id: str, include_subdags: bool = False) -> "BaseOperator":
        """Return the task of this id; raise TaskNotFound where there is none."""
        try:
            return self.task_dict[task_id]
        except KeyError:
            near = nearest(task_id, self.task_dict)
            raise TaskNotFound(f"DAG {self.dag_id!r} has no task {task_id!r}{near}") from None

    def task_group_dict(self) -> dict[str, TaskGroup]:
        """Return the task groups by id."""
        found: dict[str, TaskGroup] = {}
        pending: list[TaskGroup] = [self.task_group]
        while pending:
            for child_id, child in pending.pop().children.items():
                if isinstance(child, TaskGroup):
                    found[child_id] = child
                    pending.append(child)
        return found

    def param(self, name: str, default: Any = _UNSET) -> DagParam:
        """Return a stand-in for a parameter of the run, to be given to a task; a default makes the parameter known."""
        if default is not _UNSET:
            self.params[name] = default
        elif name not in self.params:
            raise InvalidDag(f"DAG {self.dag_id!r} has no param {name!r}{nearest(name, self.params)}")
        return DagParam(name, self.params[name])

    def set_dependency(self, upstream_task_id: str, downstream_task_id: str) -> None:
        """Make one task wait for another, by their ids."""
        self.get_task(upstream_task_id).set_downstream(self.get_task(downstream_task_id))

    def __enter__(self) -> Self:
        enter_dag(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave_dag()

    def __contains__(self, task_id: object) -> bool:
        return task_id in self.task_dict

    def __repr__(self) -> str:
        return f"<DAG: {self.dag_id}>"


DAG_KEYWORDS = frozenset(inspect.signature(DAG.__init__).parameters) - {"self", "unknown"}
"""The keywords of a DAG."""


def _one_schedule(where: str, schedule: Any, schedule_interval: Any, timetable: Any) -> Any:
    given = [
        (name, value)
        for name, value in (("schedule", schedule), ("schedule_interval", schedule_interval), ("timetable", timetable))
        if value is not _UNSET
    ]
    if len(given) > 1:
        raise InvalidDag(f"{where}: {' and '.join(name for name, _ in given)} say the same thing; keep schedule")
    return given[0][1] if given else None


def _tags(tags: Collection[str] | None, where: str) -> list[str]:
    if isinstance(tags, str) or not all(isinstance(tag, str) for tag in tags or ()):
        raise InvalidDag(f"{where}: tags is {tags!r}, wanted a list of texts such as ['etl']")
    return sorted(set(tags or ()))
