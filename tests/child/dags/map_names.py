# mypy: ignore-errors
"""Tasks whose map indexes have names."""

from datetime import datetime

from airflow.exceptions import AirflowSkipException
from airflow.models import Variable

from flowd import DAG, BashOperator, get_current_context, task

with DAG("map_names", start_date=datetime(2026, 1, 1), render_template_as_native_obj=True):

    @task(map_index_template="{{ run_id }} {{ own }}")
    def names(end):
        get_current_context()["own"] = f"own {end}"
        if end == "fails":
            raise ValueError("no rows")
        if end == "skips":
            raise AirflowSkipException("nothing to do")

    @task(map_index_template="{{ nobody.knows }}")
    def unknown(is_failing):
        if is_failing:
            raise ValueError("the task's own error")

    @task(map_index_template="{{ 7 }}")
    def number():
        return "x"

    @task(map_index_template="{{ 'ab' * 200 }}")
    def long():
        pass

    @task(map_index_template="{{ secret }}")
    def secretive():
        get_current_context()["secret"] = f"of {Variable.get('api_key')}"

    @task(map_index_template="")
    def empty():
        pass

    names.expand(end=["well", "fails", "skips"])
    unknown.expand(is_failing=[True, False])
    number()
    long()
    secretive()
    empty()
    BashOperator.partial(task_id="bash", map_index_template="{{ task.bash_command }}").expand(bash_command=["true"])
