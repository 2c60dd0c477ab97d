"""`flowd run` and Airflow's words for it: what reaches the node."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog

from flowd import node
from flowd.settings.model import Settings
from tests.cli.conftest import Flowd


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Settings]]:
    """The settings of each node that a command would have run; it ends with exit code 7."""
    seen: list[Settings] = []

    def main(settings: Settings) -> int:
        seen.append(settings)
        return 7

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(node, "main", main)
    yield seen
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_flags_come_before_variables_and_the_nodes_exit_code_is_the_commands(
    flowd: Flowd, started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWD__WORKER__CONCURRENCY", "5")
    arguments = ["--roles", "worker,api", "--queues", "a,b", "--concurrency", "30", "--drain-timeout", "5m"]

    assert flowd("run", *arguments, "-p", "0").code == 7

    (settings,) = started
    assert settings.node.roles == ("worker", "api")
    assert (settings.worker.queues, settings.worker.concurrency) == (("a", "b"), 30)
    assert settings.worker.drain_timeout == timedelta(minutes=5)
    assert settings.api.port == 0


@pytest.mark.parametrize(
    ("word", "roles"),
    [
        ("run", ("api", "scheduler", "worker")),
        ("standalone", ("api", "scheduler", "worker")),
        ("scheduler", ("scheduler",)),
        ("worker", ("worker",)),
        ("webserver", ("api",)),
        ("api-server", ("api",)),
        ("kerberos", ("kerberos",)),
    ],
)
def test_airflows_words_start_the_roles_they_name(
    flowd: Flowd, started: list[Settings], word: str, roles: tuple[str, ...]
) -> None:
    assert flowd(word).code == 7

    assert [settings.node.roles for settings in started] == [roles]
