"""`flowd bulk` and `flowd webhooks` from the command line."""

import pytest

from tests.cli.conftest import Flowd


@pytest.mark.parametrize("noun", ["runs", "tasks"])
def test_a_filter_that_finds_nothing_changes_nothing(flowd: Flowd, noun: str) -> None:
    outcome = flowd("bulk", noun, "clear", "-w", "state=failed", "-w", "run_after_lt=2026-01-01")

    assert (outcome.code, outcome.err) == (0, "The filter finds nothing.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs", "clear", "-w", "failed"], "'failed' is no filter; wanted NAME=VALUE"),
        (["runs", "clear", "-w", "stat=failed"], "there is no such filter"),
        (["tasks", "mark", "-w", "state=failed"], "a new_state is wanted of mark"),
    ],
)
def test_what_is_wrong_about_a_filter_is_said(flowd: Flowd, arguments: list[str], message: str) -> None:
    outcome = flowd("bulk", *arguments)

    assert outcome.code != 0
    assert message in outcome.err


def test_webhooks_are_made_of_dags_that_are_there(flowd: Flowd) -> None:
    made = flowd("webhooks", "create", "orders", "etl")

    assert made.code != 0 and "The Dag with ID: `etl` was not found" in made.err
    assert "No webhooks: `flowd webhooks create` makes one." in flowd("webhooks", "list").err
    assert "The Webhook with name: `orders` was not found" in flowd("webhooks", "new-secret", "orders").err
    assert flowd("webhooks", "rotate").err == "The secrets of 0 webhooks are encrypted with the first key.\n"
