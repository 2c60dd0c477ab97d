"""The DAG files of the demo: what the data teams of an invented company would have."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent

TEAMS = {
    "sales": ("orders", "refunds", "invoices"),
    "marketing": ("campaigns", "newsletter", "attribution"),
    "logistics": ("shipments", "stock", "carriers"),
    "finance": ("ledger", "payments", "tax"),
    "product": ("events", "sessions", "experiments"),
    "support": ("tickets", "reviews"),
}
SCHEDULES = ("@daily", "0 5 * * *", "30 6 * * 1-5", "0 */4 * * *", "@weekly", "15 2 * * *")
FAILING = "flaky_import"
"""The DAG whose runs fail more often than not."""

_HEAD = '''
"""{title}"""

from datetime import datetime, timedelta

from airflow.sdk import DAG, Asset, TaskGroup, task
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator

DEFAULTS = {{"owner": "{owner}", "retries": 2, "retry_delay": timedelta(seconds=20)}}

'''


def write_dag_files(folder: Path) -> list[str]:
    """Write the files into the folder and return the ids of their DAGs."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for dag_id, text in _files():
        (folder / f"{dag_id}.py").write_text(text)
        written.append(dag_id)
    (folder / "half_written.py").write_text('from airflow.sdk import DAG\n\nwith DAG("half_written", schedule=\n')
    return written


def _files() -> Iterator[tuple[str, str]]:
    number = 0
    for team, subjects in TEAMS.items():
        for subject in subjects:
            schedule = SCHEDULES[number % len(SCHEDULES)]
            yield _file(f"{team}_{subject}_etl", team, schedule, f"Loads the {subject} of {team}.", _etl(subject))
            yield _file(f"{team}_{subject}_report", team, "@daily", f"Reports on {subject}.", _report(subject))
            number += 1
    yield _file("ml_churn_training", "ml", "@weekly", "Trains the churn models and deploys the best.", _training())
    yield _file("ml_recommendations", "ml", "@daily", "Scores what to recommend.", _training())
    yield _file("platform_cleanup", "platform", "0 3 * * *", "Removes what nobody needs any more.", _chain(6, 0.2))
    yield _file("platform_backup", "platform", "0 1 * * *", "Backs up the warehouse.", _chain(4, 0.5))
    yield _file("platform_vacuum", "platform", "None", "Runs when somebody asks for it.", _chain(3, 0.2))
    yield _file(FAILING, "platform", "@hourly", "An import from a partner whose server is often away.", _flaky())
    yield _file("warehouse_refresh", "platform", "0 4 * * *", "Refreshes every table of the warehouse.", _wide())
    yield _file("nightly_reconciliation", "finance", "@daily", "Takes its time.", _slow())


def _file(dag_id: str, team: str, schedule: str, title: str, body: str) -> tuple[str, str]:
    schedule = schedule if schedule == "None" else f'"{schedule}"'
    head = _HEAD.lstrip().format(title=title, owner=f"{team}-team")
    opening = (
        f'with DAG(\n    "{dag_id}",\n    description="{title}",\n    schedule={schedule},\n'
        f"    start_date=datetime(2024, 1, 1),\n    catchup=False,\n    default_args=DEFAULTS,\n"
        f'    tags=["{team}", "{dag_id.rsplit("_", 1)[-1]}"],\n):\n'
    )
    return dag_id, head + opening + indent(dedent(body).strip(), "    ") + "\n"


def _etl(subject: str) -> str:
    return f"""
    start = EmptyOperator(task_id="start")
    with TaskGroup("extract") as extract:
        for source in ("shop", "erp", "crm"):
            with TaskGroup(source):
                fetch = BashOperator(task_id="fetch", bash_command=f"echo fetching {subject} of {{source}}; sleep 0.3")
                fetch >> BashOperator(task_id="validate", bash_command="echo 1204 rows are as they should be")
    transform = BashOperator(task_id="transform", bash_command="echo joining; sleep 0.5")
    with TaskGroup("load") as load:
        rows = Asset("{subject}", uri="s3://warehouse/{subject}", group="warehouse")
        BashOperator(task_id="warehouse", bash_command="echo 3612 rows written; sleep 0.2", outlets=[rows])
        shards = "echo ::group::Shards; echo shard 1 of 2; echo shard 2 of 2; echo ::endgroup::"
        BashOperator(task_id="search_index", bash_command=shards + "; echo indexed")
    start >> extract >> transform >> load >> BashOperator(task_id="notify", bash_command="echo done")
    """


def _report(subject: str) -> str:
    return f"""
    rows, page = Asset("{subject}", uri="s3://warehouse/{subject}", group="warehouse"), Asset("{subject}_report")

    @task(inlets=[rows])
    def query(quarter: int) -> int:
        print(f"the {subject} of quarter {{quarter}}")
        return quarter * 1000

    @task(outlets=[page])
    def render(totals: list[int]) -> str:
        print(sum(totals))
        return "report.html"

    @task.branch
    def is_it_monday(day: str) -> str:
        return "send" if datetime.fromisoformat(day).weekday() == 0 else "keep"

    rendered = render(query.expand(quarter=[1, 2, 3, 4]))
    rendered >> is_it_monday("{{{{ ds }}}}") >> [
        BashOperator(task_id="send", bash_command="echo sent"),
        EmptyOperator(task_id="keep"),
    ]
    """


def _training() -> str:
    return """
    @task
    def features() -> list[str]:
        return ["linear", "forest", "boosted", "network"]

    @task(map_index_template="{{ task.op_kwargs['model'] }}")
    def train(model: str) -> float:
        print(f"training {model}")
        return len(model) / 10

    @task
    def choose(scores: list[float]) -> float:
        return max(scores)

    choose(train.expand(model=features())) >> BashOperator(task_id="deploy", bash_command="echo deployed; sleep 0.4")
    """


def _chain(length: int, pause: float) -> str:
    return f"""
    before = EmptyOperator(task_id="begin")
    for number in range({length}):
        command = "echo step {{{{ ti.task_id }}}}; sleep {pause}"
        step = BashOperator(task_id=f"step_{{number + 1}}", bash_command=command)
        before >> step
        before = step
    """


def _flaky() -> str:
    return """
    fetch = BashOperator(
        task_id="fetch",
        bash_command="echo asking the partner; sleep 0.3; echo 'connect: connection timed out' >&2; exit 1",
        retries=1,
    )
    fetch >> BashOperator(task_id="store", bash_command="echo stored") >> EmptyOperator(task_id="done")
    """


def _wide() -> str:
    return """
    begin = EmptyOperator(task_id="begin")
    end = EmptyOperator(task_id="end")
    for schema in ("raw", "staging", "marts", "exports"):
        with TaskGroup(schema) as group:
            for number in range(1, 11):
                BashOperator(task_id=f"table_{number:02}", bash_command="sleep 0.1")
        begin >> group >> end
    """


def _slow() -> str:
    return """
    first = BashOperator(task_id="collect", bash_command="echo collecting; sleep 5")
    second = BashOperator(
        task_id="reconcile",
        bash_command="for i in $(seq 1 600); do echo \\"account $i of 600 agrees\\"; sleep 2; done",
    )
    first >> second >> BashOperator(task_id="sign_off", bash_command="echo signed")
    """
