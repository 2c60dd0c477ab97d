"""The logging of a task process: every record is a line of its stdout, which is the task's log."""

import logging
import sys


def log_to_stdout() -> None:
    """Let the root logger write `LEVEL logger - message` to stdout, from INFO on, line by line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s - %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
