"""What authors override in the rendering of templates, and call of it."""

from typing import Any

import pytest

from flowd import DAG, BaseNotifier, BaseOperator
from flowd.sdk.exceptions import AirflowException
from tests.operators.running import context_for


class Volume:
    def __init__(self, name: str) -> None:
        self.name = name


class Pod(BaseOperator):
    template_fields = ("volumes", "query")
    template_ext = (".sql",)

    def __init__(self, *, volumes: Any = None, query: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volumes, self.query = volumes, query

    def _render_nested_template_fields(self, content: Any, context: Any, jinja_env: Any, seen_oids: Any) -> None:
        if isinstance(content, Volume):
            self._do_render_template_fields(content, ("name",), context, jinja_env, seen_oids)
            return
        super()._render_nested_template_fields(content, context, jinja_env, seen_oids)


class Prepared(Pod):
    def prepare_template(self) -> None:
        self.query = f"{self.query}-- {{{{ ti.task_id }}}}"


def a_dag(**kwargs: Any) -> DAG:
    return DAG("d", schedule=None, **kwargs)


def test_an_operator_renders_objects_that_know_nothing_of_templates() -> None:
    task = Pod(task_id="pod", volumes=[Volume("v-{{ run_id }}"), {"deep": Volume("{{ ti.task_id }}")}], dag=a_dag())

    task.render_template_fields(context_for(task))

    assert (task.volumes[0].name, task.volumes[1]["deep"].name) == ("v-manual__1", "pod")


def test_prepare_template_changes_the_text_of_a_file_before_it_is_rendered(tmp_path: Any) -> None:
    (tmp_path / "rows.sql").write_text("select {{ run_id }} ")
    task = Prepared(task_id="t", query="rows.sql", dag=a_dag(template_searchpath=str(tmp_path)))

    task.render_template_fields(context_for(task))

    assert task.query == "select manual__1 -- t"


def test_any_value_can_be_rendered() -> None:
    task = Pod(task_id="t", dag=a_dag(user_defined_filters={"twice": lambda text: text * 2}))

    assert task.render_template({"a": ["{{ 'x' | twice }}"]}, context_for(task)) == {"a": ["xx"]}
    assert task.get_template_env().from_string("{{ 'x' | twice }}").render() == "xx"


def test_a_notifiers_field_that_cannot_be_rendered_is_named() -> None:
    class Told(BaseNotifier):
        template_fields = ("text",)
        text = "{{ absent.x }}"

    task = Pod(task_id="t", dag=a_dag())

    with pytest.raises(AirflowException, match=r"Told, field 'text': UndefinedError: 'absent' is undefined"):
        Told()(context_for(task))
