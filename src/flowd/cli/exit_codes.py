"""What a command's exit code says."""

from enum import IntEnum

from flowd.domain.errors import FlowdError, InvalidInput, InvalidSettings, NotFound, Unauthorised, Unavailable


class ExitCode(IntEnum):
    """As sysexits.h and timeout(1) have it where they have it; scripts rely on these."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAUTHORISED = 4
    UNREACHABLE = 5
    CONFIGURATION = 78
    TIMED_OUT = 124
    INTERRUPTED = 130


_OF_ERRORS: dict[type[FlowdError], ExitCode] = {
    InvalidInput: ExitCode.USAGE,
    NotFound: ExitCode.NOT_FOUND,
    Unauthorised: ExitCode.UNAUTHORISED,
    Unavailable: ExitCode.UNREACHABLE,
    InvalidSettings: ExitCode.CONFIGURATION,
}


def exit_code_of(error: FlowdError) -> ExitCode:
    """Return the exit code that tells a script what kind of failure this was."""
    for kind, code in _OF_ERRORS.items():
        if isinstance(error, kind):
            return code
    return ExitCode.FAILED
