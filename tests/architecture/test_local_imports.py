"""Imports stand at the top of the file; what is imported later has its reason here."""

import ast
from collections.abc import Iterator

from tests.architecture.source_file import SourceFile, source

# file, or folder ending with a slash -> why it may import inside a function
REASONS = {
    "flowd/db/engine.py": "asyncmy is an extra of the package, wanted for MySQL and MariaDB only",
    "flowd/db/metastore.py": "as flowd/db/engine.py",
    "flowd/db/airflow_source/source.py": "as flowd/db/engine.py",
    "flowd/child/failure_mail.py": "smtplib and ssl take 4 MiB in every task's process; few tasks fail and send mail",
    "flowd/cli/": "each command imports what it runs, so that --help answers under 0.3 s",
    "flowd/node/brokers.py": "a node loads the client of the one broker it uses: that of SQS alone is 50 MiB",
    "flowd/node/log_store.py": "a node loads the client of AWS only where its logs go to a bucket",
    "flowd/node/backends.py": "alembic is a third of the time to boot, and wanted once; asyncpg is an extra",
    "flowd/node/tracing.py": "OpenTelemetry is an extra, and 5 MiB; only a node with a collector needs it",
    "flowd/db/upsert.py": "a node loads the dialect of the one database it uses",
    "flowd/sdk/connection.py": "asyncio takes longer than all else of the authoring code, and few tasks are coroutines",
    "flowd/operators/python.py": "as flowd/sdk/connection.py",
    "flowd/sdk/hook.py": "as flowd/sdk/connection.py",
    "flowd/sdk/state_store.py": "as flowd/sdk/connection.py",
    "flowd/actions/params.py": "jsonschema takes 2 MiB and 3 % of the time to boot; few DAGs have parameters",
    "flowd/api/app.py": "an HTTP client, which only a node with an OpenID Connect provider needs",
    "flowd/api/dashboard/layered_layout.py": "fast_sugiyama takes 5 MiB and 3 % of the time to boot; wanted for graphs",
    "flowd/api/dashboard/dag_source.py": "pygments takes 4 MiB and 50 ms of the time to boot; few look at code",
    "flowd/operators/guest.py": "it runs in interpreters that may have no pendulum, or are older than zoneinfo",
    "flowd/secret_backends/configured.py": "a node loads the client of AWS only where a backend of AWS is configured",
    "flowd/secret_backends/files.py": "PyYAML is an extra of the package, wanted for YAML files only",
    "flowd/security/tokens.py": "joserfc takes 4 MiB and 7 % of the time to boot; wanted when somebody logs in",
}


def late_imports(file: SourceFile) -> Iterator[str]:
    functions = (node for node in ast.walk(file.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield file.at(node, f"import inside {function.name}(); move it to the top")


def unexcused(files: list[SourceFile]) -> list[str]:
    return [
        finding
        for file in files
        if not any(file.is_under(place) for place in REASONS)
        for finding in late_imports(file)
    ]


def idle_reasons(files: list[SourceFile]) -> list[str]:
    """Places that exist but need their exception no more."""
    idle = []
    for place in REASONS:
        covered = [file for file in files if file.is_under(place)]
        if covered and not any(finding for file in covered for finding in late_imports(file)):
            idle.append(place)
    return idle


def test_every_import_stands_at_the_top_of_its_file(sources: list[SourceFile]) -> None:
    assert unexcused(sources) == []


def test_no_exception_outlives_its_need(sources: list[SourceFile]) -> None:
    assert idle_reasons(sources) == []


def test_an_import_in_a_function_or_method_is_found_unless_its_file_is_listed() -> None:
    text = "class A:\n    async def load(self):\n        from json import loads\n"

    assert unexcused([source("flowd/db/rows.py", text)]) == [
        "flowd/db/rows.py:3: import inside load(); move it to the top"
    ]
    assert unexcused([source("flowd/cli/dags.py", text)]) == []


def test_a_listed_file_without_a_late_import_is_found() -> None:
    assert idle_reasons([source("flowd/cli/run.py", "import json\n")]) == ["flowd/cli/"]
