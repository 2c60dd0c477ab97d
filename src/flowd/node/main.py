"""main: runs a node from its settings to its exit code."""

import os

import structlog
import uvloop

from flowd.domain.errors import FlowdError
from flowd.node.api_workers import ApiWorkers
from flowd.node.node import Node
from flowd.settings.model import Settings

log = structlog.get_logger(__name__)

EXIT_CONFIGURATION = 78


def main(settings: Settings) -> int:
    """Run the node until it is told to stop and return the exit code: 0 after a drain, 78 where it cannot start."""
    for warning in settings.warnings:
        log.warning(warning)
    # Files hold logs, spooled reports and secrets: nobody else on this machine needs to read them.
    os.umask(0o077)
    failed = False
    try:
        if settings.api.workers > 1:
            uvloop.run(ApiWorkers(settings, os.environ).run())
        else:
            uvloop.run(Node(settings, os.environ).run())
    except* FlowdError as group:
        for error in _leaves(group):
            log.critical(str(error))
        failed = True
    return EXIT_CONFIGURATION if failed else 0


def _leaves(group: BaseExceptionGroup[FlowdError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
