"""The node's own log: one line an event, and no secret in any."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from flowd.logging_setup import SecretMask, configure_logging


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the logging of the process as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_a_line_of_json_with_its_keys() -> None:
    stream = io.StringIO()
    configure_logging(level="info", style="auto", stream=stream)

    structlog.get_logger("flowd.worker").info("lease expired", task="etl/load", tries=2)

    (event,) = lines(stream)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "lease expired", "level": "info", "task": "etl/load", "tries": 2}


def test_the_standard_library_and_uvicorn_log_the_same_way() -> None:
    stream = io.StringIO()
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler(io.StringIO()))
    configure_logging(level="info", style="json", stream=stream)

    logging.getLogger("uvicorn.access").warning("GET %s", "/livez")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("flowd.db").warning("slow", extra={"seconds": 3})
    logging.getLogger("alembic.runtime").info("Context impl")

    first, second = lines(stream)
    assert (first["event"], first["logger"]) == ("GET /livez", "uvicorn.access")
    assert (second["event"], second["seconds"], second["level"]) == ("slow", 3, "warning")


def test_what_is_below_the_level_is_not_logged() -> None:
    stream = io.StringIO()
    configure_logging(level="warning", style="json", stream=stream)

    structlog.get_logger().info("no")
    logging.getLogger("x").info("no")
    structlog.get_logger().warning("yes")

    assert [event["event"] for event in lines(stream)] == ["yes"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_is_logged_wherever_it_stands(style: str) -> None:
    stream = io.StringIO()
    mask = configure_logging(level="debug", style=style, secrets=["p@ss/word", "p@ss", "abc"], stream=stream)
    mask.add("added later")
    log = structlog.get_logger()

    log.info(
        "connecting with p@ss/word", url="amqp://a:p%40ss%2Fword@h", nested={"k": ["p@ss"]}, other=("added later",)
    )
    try:
        raise ValueError("the password p@ss/word is wrong")
    except ValueError:
        log.exception("failed", cause=ValueError("p@ss/word"))
    logging.getLogger("x").error("%s", "p@ss/word")

    text = stream.getvalue()
    assert "p@ss" not in text and "p%40ss" not in text and "word" not in text.replace("password", "")
    assert "added later" not in text
    assert text.count("***") >= 6
    assert "Traceback" in text and "ValueError" in text


def test_a_secret_too_short_to_be_one_is_not_masked() -> None:
    assert SecretMask(["abc", ""])(None, "info", {"event": "abcdef"}) == {"event": "abcdef"}


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_event_cannot_pass_for_two(style: str) -> None:
    stream = io.StringIO()
    configure_logging(level="info", style=style, stream=stream)

    structlog.get_logger().info("real\nforged", key="a\nb")
    logging.getLogger("x").info("real\r\nforged")

    assert len(stream.getvalue().splitlines()) == 2


def test_the_console_has_no_colours_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    configure_logging(level="info", style="console", stream=stream)

    structlog.get_logger().info("lease expired", task="etl/load")

    assert "lease expired" in stream.getvalue() and "task=etl/load" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
