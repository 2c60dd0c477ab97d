"""main: runs a node from its settings to its exit code."""

import os
from collections.abc import Sequence

import structlog
import uvloop

from flowd.domain.errors import FlowdError, InvalidSettings, Unavailable
from flowd.node.api_workers import ApiWorkers
from flowd.node.node import Node
from flowd.node.supervisor import Supervisor
from flowd.settings.model import Settings

log = structlog.get_logger(__name__)

EXIT_FAILED = 1
EXIT_UNREACHABLE = 5
EXIT_CONFIGURATION = 78
"""A supervisor that sees it must not start the node again: the same settings end it the same way."""


def main(settings: Settings) -> int:
    """Run the node until it is told to stop and return the exit code.

    It is 0 after a drain, 78 where the settings or the schema forbid it to start, 5 where a backend it cannot do
    without is away, and 1 where it failed otherwise.
    """
    for warning in settings.warnings:
        log.warning(warning)
    # Files hold logs, spooled reports and secrets: nobody else on this machine needs to read them.
    os.umask(0o077)
    errors: list[BaseException] = []
    try:
        if settings.api.workers > 1:
            uvloop.run(ApiWorkers(settings, os.environ, Supervisor.of(os.environ, is_last=False)).run())
        else:
            # Tasks inherit the environment, and are not to speak for the node.
            supervisor = Supervisor.of(os.environ, is_last=True)
            uvloop.run(Node(settings, os.environ, supervisor).run())
    except* FlowdError as group:
        errors = _leaves(group)
    for error in errors:
        log.critical(str(error))
    return exit_code(errors)


def exit_code(errors: Sequence[BaseException]) -> int:
    """Return what the end of a node with these errors says to its supervisor."""
    if any(isinstance(error, InvalidSettings) for error in errors):
        return EXIT_CONFIGURATION
    if errors and all(isinstance(error, Unavailable) for error in errors):
        return EXIT_UNREACHABLE
    return EXIT_FAILED if errors else 0


def _leaves(group: BaseExceptionGroup[FlowdError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
