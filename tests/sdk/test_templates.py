"""Templates: the usual context, files, containers, native objects, and errors that name task and field."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import pytest

from flowd import DAG, BaseOperator, literal
from flowd.domain.assignment import RunContext
from flowd.domain.ids import TaskId
from flowd.domain.states import RunType
from flowd.sdk.context import Context, context_of, executing_in, get_current_context
from flowd.sdk.exceptions import AirflowException, XComNotFound
from flowd.sdk.supervisor import NoSupervisor, supervised_by
from tests.support.specs import an_assignment
from tests.support.task_server import TaskServer

DAY = datetime(2026, 1, 31, 6, 30, tzinfo=UTC)
RUN = RunContext(
    run_type=RunType.SCHEDULED,
    run_after=DAY,
    logical_date=DAY,
    data_interval_start=datetime(2026, 1, 30, 6, 30, tzinfo=UTC),
    data_interval_end=DAY,
    conf={"limit": 3},
    params={"limit": 3, "region": "eu"},
)


class Show(BaseOperator):
    template_fields = ("value",)
    template_ext = (".sql",)

    def __init__(self, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value


@pytest.fixture
def server() -> Iterator[TaskServer]:
    server = TaskServer(
        xcoms={("first", "return_value"): [1, 2], ("first", "k"): "v"},
        variables={"bucket": "s3://b", "limits": '{"rows": 10}'},
        connections={"db": {"conn_id": "db", "conn_type": "postgres", "host": "pg", "port": 5432}},
        previous={"prev_data_interval_end_success": "2026-01-30T06:30:00+00:00"},
    )
    with supervised_by(server):
        yield server


def render(value: Any, *, run: RunContext = RUN, task: dict[str, Any] | None = None, **dag: Any) -> Any:
    with DAG("etl", **dag) as made:
        made.fileloc = dag.get("full_filepath", "/nowhere/etl.py")
        show = Show(task_id="load", value=value, **(task or {}))
    show.render_template_fields(context_of(an_assignment(run=run, task_id=TaskId("load")), show))
    return show.value


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("{{ ds }} {{ ds_nodash }} {{ tomorrow_ds }}", "2026-01-31 20260131 2026-02-01"),
        ("{{ ts }} {{ ts_nodash }}", "2026-01-31T06:30:00+00:00 20260131T063000"),
        ("{{ ts_nodash_with_tz }}", "20260131T063000+0000"),
        ("{{ logical_date.add(days=1).to_date_string() }}", "2026-02-01"),
        ("{{ data_interval_start | ds }} {{ data_interval_end | ts_nodash }}", "2026-01-30 20260131T063000"),
        ("{{ dag.dag_id }}.{{ task.task_id }} {{ run_id }} {{ ti.try_number }}", "etl.load manual__1 1"),
        ("{{ task_instance_key_str }} {{ map_index }}", "etl__load__20260131 -1"),
        ("{{ params.limit }} {{ params['region'] }} {{ dag_run.conf['limit'] }}", "3 eu 3"),
        ("{{ dag_run.run_type }} {{ dag_run.external_trigger }}", "scheduled False"),
        ("{{ var.value.bucket }} {{ var.json.limits.rows }} {{ var.value.get('no', 'none') }}", "s3://b 10 none"),
        ("{{ conn.db.host }}:{{ conn.db.port }} {{ conn.get('x', 'none') }}", "pg:5432 none"),
        ("{{ ti.xcom_pull(task_ids='first') }} {{ ti.xcom_pull(task_ids=['first'], key='k') }}", "[1, 2] ['v']"),
        ("{{ macros.ds_add(ds, 2) }} {{ macros.ds_format(ds, '%Y-%m-%d', '%d.%m.%y') }}", "2026-02-02 31.01.26"),
        ("{{ macros.dateutil.parser.parse('2026-02-03').day }}", "3"),
        ("{{ prev_data_interval_end_success | ds }} {{ prev_start_date_success }}", "2026-01-30 None"),
        ("{{ latest_date }} {{ end_date }} {{ END_DATE }}", "2026-01-31 2026-01-31 2026-01-31"),
    ],
)
def test_the_usual_context(server: TaskServer, template: str, rendered: str) -> None:
    assert render(template) == rendered


def test_the_previous_date_is_that_of_the_schedule_and_of_a_manual_run_its_own(server: TaskServer) -> None:
    template = "{{ prev_ds }} {{ prev_ds_nodash }} {{ prev_execution_date | ts }}"
    manual = RunContext(run_type=RunType.MANUAL, run_after=DAY, logical_date=DAY)
    undated = RunContext(run_type=RunType.MANUAL, run_after=DAY)

    assert render(template, schedule="30 6 * * *") == "2026-01-30 20260130 2026-01-30T06:30:00+00:00"
    assert render(template, schedule="30 6 * * *", run=manual) == "2026-01-31 20260131 2026-01-31T06:30:00+00:00"
    assert render("{{ prev_ds }}", schedule=timedelta(hours=12)) == "2026-01-30"
    assert render("{{ prev_ds }}", schedule="@once") == "2026-01-31"
    assert render("{{ prev_ds }} {{ prev_execution_date }}", run=undated) == "None None"


def test_what_the_server_knows_is_asked_for_only_when_it_is_used(server: TaskServer) -> None:
    render("{{ ds }} {% for n in range(2) %}{{ n }}{% endfor %}")
    assert server.asked == []

    render("{{ prev_start_date_success }} {{ prev_data_interval_start_success }}")
    assert server.asked == ["context"]


def test_a_run_without_a_logical_date_has_the_dates_of_its_run_after(server: TaskServer) -> None:
    run = RunContext(run_type=RunType.MANUAL, run_after=DAY)

    assert render("{{ ds }} {{ logical_date }}", run=run) == "2026-01-31 None"


def test_containers_are_rendered_and_keys_are_not(server: TaskServer) -> None:
    value = {"{{ ds }}": ["{{ ds }}", ("{{ run_id }}",), {"{{ ds }}"}], "n": 1, "x": literal("{{ ds }}")}

    assert render(value) == {"{{ ds }}": ["2026-01-31", ("manual__1",), {"2026-01-31"}], "n": 1, "x": "{{ ds }}"}


def test_objects_with_template_fields_are_rendered_in_place(server: TaskServer) -> None:
    class Query:
        template_fields = ("text",)
        text = "select '{{ ds }}'"

    assert render([Query()])[0].text == "select '2026-01-31'"


@pytest.mark.parametrize("text", ["", "as it stands", "one newline goes\n", "dos\r\nlines", "two go not\n\n", "{ no }"])
def test_text_without_a_template_is_what_jinja_makes_of_it(text: str, server: TaskServer) -> None:
    by_jinja = jinja2.Environment().from_string(text).render()

    assert render(text) == by_jinja


def test_text_that_options_make_a_template_is_rendered(server: TaskServer) -> None:
    assert render(
        "<< ds >>", jinja_environment_kwargs={"variable_start_string": "<<", "variable_end_string": ">>"}
    ) == ("2026-01-31")
    assert render("41", render_template_as_native_obj=True) == 41


def test_native_rendering_gives_objects(server: TaskServer) -> None:
    assert render("{{ params.limit }}", render_template_as_native_obj=True) == 3
    assert render("{{ ti.xcom_pull('first') }}", render_template_as_native_obj=True) == [1, 2]


def test_the_dags_own_macros_filters_and_options_are_used(server: TaskServer) -> None:
    rendered = render(
        "<< greet('ana') | shout >> {{ ds }}",
        user_defined_macros={"greet": lambda name: f"hello {name}"},
        user_defined_filters={"shout": str.upper},
        jinja_environment_kwargs={"variable_start_string": "<<", "variable_end_string": ">>"},
    )

    assert rendered == "HELLO ANA {{ ds }}"


def test_a_task_s_own_param_beats_the_dags_and_conf_beats_both(server: TaskServer) -> None:
    own = {"params": {"limit": 7, "region": "us", "extra": "x"}}

    rendered = render("{{ params.limit }} {{ params.region }} {{ params.extra }}", task=own, params={"region": "eu"})

    assert rendered == "3 us x"


def test_a_value_that_names_a_file_is_the_file_rendered(server: TaskServer, tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "q.sql").write_text("{% include 'part.sql' %} '{{ ds }}'")
    (tmp_path / "part.sql").write_text("select {{ params.limit }},")

    assert render("sql/q.sql", full_filepath=str(tmp_path / "dag.py")) == "select 3, '2026-01-31'"
    assert render("q.sql", template_searchpath=[str(tmp_path / "sql"), str(tmp_path)]) == "select 3, '2026-01-31'"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ nothing }}", "task 'load', field 'value': UndefinedError: 'nothing' is undefined"),
        ("{{ ds", "task 'load', field 'value': TemplateSyntaxError"),
        ("no.sql", "no file 'no.sql' in /nowhere; to use the text itself, end it with a space"),
        ("{{ var.value.absent }}", "Variable 'absent' does not exist"),
        ("{{ conn.absent.host }}", "Connection 'absent' does not exist"),
    ],
)
def test_an_error_names_the_task_and_the_field(server: TaskServer, template: str, message: str) -> None:
    with pytest.raises(AirflowException, match=message):
        render(template)


def test_outputs_are_pulled_and_a_missing_one_says_which(server: TaskServer) -> None:
    with DAG("etl"):
        first = Show(task_id="first", value="")
        load = Show(task_id="load", value=[first.output, f"all: {first.output}", first.output["k"]])
        bad = Show(task_id="bad", value=first.output["absent"])
    load.render_template_fields(context_of(an_assignment(run=RUN), load))

    assert load.value == [[1, 2], "all: [1, 2]", "v"]
    with pytest.raises(XComNotFound, match="task 'first' pushed no XCom 'absent'"):
        bad.render_template_fields(context_of(an_assignment(run=RUN), bad))


def test_the_current_context_is_known_only_while_a_task_executes() -> None:
    context = Context({"ds": "2026-01-31"})

    with executing_in(context):
        assert get_current_context() is context
    with pytest.raises(AirflowException, match="called outside of a running task"):
        get_current_context()


def test_without_a_server_nothing_falls_back_to_a_default() -> None:
    with pytest.raises(NoSupervisor, match="variable_get needs a running task"):
        render("{{ var.value.get('bucket', 'none') }}")
