"""Starting other programs: a script in bash, or a new Python interpreter, both at the price of posix_spawn."""

import os
import shutil
import signal
import sys
from collections.abc import Mapping

from flowd.child.launch import Limits

SCRIPT_BYTES = 128 * 1024 - 1
"""Linux takes no longer argument of a program."""

BASH = shutil.which("bash") or "/bin/bash"

_DEFAULT_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def spawn_script(script: str, *, env: Mapping[str, str], stdout: int, stderr: int, limits: Limits) -> int:
    """Start `bash -c script` in the current folder as leader of its own session; return its pid.

    Raise OSError where the system refuses, ValueError where the script or the environment can be no argument.
    """
    size = len(script.encode(errors="surrogateescape"))
    if size > SCRIPT_BYTES:
        raise ValueError(
            f"the script has {size} bytes, more than the {SCRIPT_BYTES} that fit into an argument of a program: "
            "put it into a file of the bundle and run that file"
        )
    arguments = ["bash", "-c", script]
    settings = _ulimit_arguments(limits)
    if settings:
        # Set from within, before the script: a limit set from outside would come after its first instructions.
        arguments = ["bash", "-c", f'ulimit {settings} && exec -a bash "$BASH" -c "$1"', "bash", script]
    return _spawn(BASH, arguments, env, [(stdout, 1), (stderr, 2)])


def spawn_python(code: str, *, env: Mapping[str, str], stdout: int, stderr: int, channel: int) -> int:
    """Start a new interpreter on `code`, with the channel as descriptor 3; return its pid. Raises as spawn_script."""
    # -P: the folder a task runs in must not shadow modules.
    arguments = [sys.executable, "-P", "-c", code]
    return _spawn(sys.executable, arguments, env, [(stdout, 1), (stderr, 2), (channel, 3)])


def _spawn(program: str, arguments: list[str], env: Mapping[str, str], descriptors: list[tuple[int, int]]) -> int:
    return os.posix_spawn(
        program,
        arguments,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            *((os.POSIX_SPAWN_DUP2, source, target) for source, target in descriptors),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT_SIGNALS,
    )


def _ulimit_arguments(limits: Limits) -> str:
    settings = []
    if limits.address_space_bytes is not None:
        settings.append(f"-v {limits.address_space_bytes // 1024}")
    if limits.cpu_seconds is not None:
        settings.append(f"-t {limits.cpu_seconds}")
    if limits.open_files is not None:
        settings.append(f"-n {limits.open_files}")
    return " ".join(settings)
