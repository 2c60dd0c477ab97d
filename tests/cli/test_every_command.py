"""Every command that acts on a cluster, typed: each works, and together they call every route that has a command."""

import asyncio
import getpass
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from flowd.cli.client.api import Api
from tests.cli.conftest import Flowd
from tests.cli.seed import seed
from tests.cli.test_parity import NO_ROUTE, commands, operations_of

STORY = """
    dags list
    dags list 'd*' --tag none
    dags show etl
    dags details etl
    dags pause etl
    dags pause 'd*'
    dags unpause etl
    dags unpause 'd*'
    dags next daily
    dags next-execution daily
    dags why etl
    dags source etl
    dags show-source etl
    dags diff etl 1
    dags versions etl
    dags versions etl 1
    dags tags
    dags stats
    dags warnings
    dags import-errors
    dags import-errors 1
    dags list-import-errors
    dags reparse etl
    users create ME --no-password
    dags favorite etl
    dags unfavorite etl
    dags trigger etl --run-id five --conf {"a":1}
    runs list
    runs list etl --state queued
    dags list-runs etl
    runs show etl one
    runs state etl one
    runs why etl one
    runs clear etl two --dry-run
    runs clear etl two --yes
    runs clear etl two three --yes
    runs clear-partitions etl
    runs note etl one hello
    runs mark etl four failed
    runs set-state etl four success
    runs mark-all etl three four success
    runs logs etl two
    runs logs etl two --state failed
    runs watch etl four
    runs wait etl four
    runs asset-events etl one
    runs cancel etl five
    runs delete etl five --yes
    runs delete etl three four --yes
    tasks list etl
    tasks list etl one
    tasks list ~ ~ --state failed
    tasks states-for-dag-run etl one
    tasks show etl extract
    tasks show etl one extract
    tasks show mapped one m --map-index 1
    tasks state etl one extract
    tasks mapped mapped one m
    tasks logs etl two extract --try 1
    tasks tries etl two extract
    tasks tries etl two extract --try 1
    tasks tries mapped one m --map-index 1
    tasks tries mapped one m --map-index 2 --try 1
    tasks rendered etl one extract
    tasks render etl one extract
    tasks links etl one extract
    tasks why etl one load
    tasks failed-deps etl one load
    tasks failed-deps mapped one m --map-index 1
    hitl list
    hitl show etl one extract
    hitl show etl one extract --try 1
    hitl answer etl one extract yes
    tasks clear etl two extract --dry-run
    tasks clear etl two --task-regex ^ext --yes
    tasks mark etl two extract success --dry-run
    tasks mark etl two extract success
    tasks mark etl two extract load success
    tasks mark mapped one m success --map-index 1 --dry-run
    tasks mark mapped one m success --map-index 1
    tasks mark etl two all success --group --dry-run
    tasks mark etl two all success --group
    tasks set-state etl two load failed
    tasks note etl two load why
    tasks cancel etl one load
    xcoms list etl two
    xcoms set etl two load mine 1
    xcoms set etl two load mine 2
    xcoms get etl two load mine
    xcoms delete etl two load mine --yes
    task-state set etl two load place 1
    task-state set etl two load place 2 --expires 2999-01-01
    task-state list etl two load
    task-state get etl two load place
    task-state delete etl two load place --yes
    task-state delete etl two load --all --yes
    assets list
    assets show orders
    assets details orders
    assets aliases
    assets aliases 1
    assets events
    assets create-event orders --extra {"rows":3}
    assets queued orders
    assets queued --dag-id report
    assets queued orders --dag-id report
    assets forget-queued orders --dag-id report --yes
    assets create-event s3://shop/orders
    assets forget-queued orders --yes
    assets create-event orders
    assets forget-queued --dag-id report --yes
    assets materialize orders
    asset-state set orders mark 1
    asset-state list orders
    asset-state get orders mark
    asset-state delete orders mark --yes
    asset-state delete orders --all --yes
    backfill create --dag-id daily --from-date 2024-01-01 --to-date 2024-01-03 --dry-run
    backfill create --dag-id daily --from-date 2024-01-01 --to-date 2024-01-03
    dags backfill --dag-id daily --from-date 2024-01-01 --to-date 2024-01-03 --dry-run
    backfill list
    backfill list daily
    backfill cancel 1
    backfill create --dag-id daily --from-date 2024-01-01 --to-date 2024-01-02 --wait --timeout 0
    backfill show 2
    backfill pause 2
    backfill resume 2
    backfill unpause 2
    backfill cancel 2
    backfill watch 1
    pools set gpu 2
    pools set gpu 3
    pools list
    pools get gpu
    pools export pools.json
    pools import pools.json
    pools delete gpu --yes
    variables set name value
    variables set name other
    variables list
    variables get name
    variables import variables.json
    variables delete name --yes
    connections set db --uri http://host
    connections set db --uri http://other
    connections add other --uri http://other
    connections list
    connections get db
    connections import connections.json
    connections set pigeon --type pigeon
    connections test pigeon
    connections delete db --yes
    users create eve --no-password --role User
    users list
    users show eve
    users set-role eve Op
    users set-groups eve sales
    users reset-password eve --password new
    users login-link eve
    tokens create eve ci
    tokens list
    tokens revoke eve ci --yes
    users revoke eve --yes
    users delete eve --yes
    me show
    me create-token mine
    me tokens
    me revoke-token mine --yes
    webhooks create hook etl
    webhooks list
    webhooks show hook
    webhooks new-secret hook
    webhooks delete hook --yes
    bundles push pushed --dry-run
    bundles plan PLAN
    bundles apply PLAN
    bundles push again --name pushed --yes
    bundles list
    bundles versions pushed
    bundles show pushed
    bundles show pushed --version 1
    bundles rollback pushed --yes
    bulk runs clear --dag etl -w state=failed --yes
    bulk tasks clear --dag etl -w state=success --yes
    workers list
    workers show ab12
    workers drain ab12
    workers undrain ab12
    workers set-concurrency ab12 8
    autoscale --advise
    autoscale --advise --slots 30 --patience 5m
    queues list
    queues pause gpu
    queues show gpu
    queues resume gpu
    queues dead
    queues retry --all
    queues purge --all --yes
    events list
    events show 1
    jobs list
    jobs check
    dags list-jobs
    plugins list
    plugins import-errors
    providers list
    info
    doctor
    config list
    config get worker.lease
    config get-value worker lease
    health
    dags delete daily_too --yes
"""
PUSHED = 'from flowd import DAG\n\nwith DAG("p", schedule=None):\n    pass\n'
OVER_THE_NETWORK = {"login", "config list", "config get", "config get-value", "health", "me set-password"}
"""What asks something else of a server than of this machine: tests/acceptance/test_command_line.py does."""

TELLS_BY_ITS_CODE = {"jobs check": 1, "doctor": 1, "connections test": 1, "--timeout": 124}
"""There is no scheduler, nobody tests a pigeon, and what is not waited for is not over."""


@pytest.fixture
def lines(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is typed, in a home with something of everything."""
    home.mkdir()
    asyncio.run(seed(home))
    monkeypatch.setenv("FLOWD__API__PORT", "1")
    monkeypatch.setenv("FLOWD__API__TEST_CONNECTIONS", "true")
    (tmp_path / "variables.json").write_text('{"name": 1}')
    (tmp_path / "connections.json").write_text('{"db": "http://host"}')
    for name, source in (("pushed", PUSHED), ("again", PUSHED.replace('"p"', '"q"'))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.py").write_text(source)
    story = STORY.replace("{", "'{").replace("}", "}'").replace("ME", getpass.getuser())
    return [shlex.split(line) for line in story.strip().splitlines()]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that commands ask for, in their order."""
    operations: list[str] = []
    answer = Api._answer

    def noted(api: Api, operation: str, *rest: Any) -> Any:
        operations.append(operation)
        return answer(api, operation, *rest)

    monkeypatch.setattr(Api, "_answer", noted)
    return operations


def command_of(line: list[str]) -> str:
    """The command of what is typed, as the tree has it."""
    return next(words for words in (" ".join(line[:2]), line[0]) if words in commands())


def test_every_command_works_and_together_they_ask_for_every_route(
    flowd: Flowd, lines: list[list[str]], asked: list[str]
) -> None:
    by_command: dict[str, set[str]] = {}
    plan = ""
    for line in lines:
        asked.clear()
        outcome = flowd(*(plan if word == "PLAN" else word for word in line))
        if told := re.match(r"Plan (\w+) of bundle", outcome.out):
            plan = told[1]
        command = command_of(line)
        wanted_code = next((code for word, code in TELLS_BY_ITS_CODE.items() if word in (command, *line)), 0)
        assert outcome.code == wanted_code, f"{' '.join(line)}: {outcome.err}"
        by_command.setdefault(command, set()).update(asked)

    beside = NO_ROUTE.keys() | OVER_THE_NETWORK
    by_code = {words: operations_of(callback) for words, callback in commands().items() if words not in beside}
    assert by_code.keys() - by_command.keys() == set()
    assert {words: called - by_code[words] for words, called in by_command.items() if words in by_code} == {
        words: set() for words in by_code
    }
    assert set().union(*by_code.values()) - set().union(*by_command.values()) == set()
