"""Entry point of a process that parses one DAG file and reports what it defines."""

import os
import sys
import traceback
import warnings
from types import FrameType
from typing import Any

from flowd.child.channel import Channel
from flowd.child.outcome import describe
from flowd.child.supervision import kept
from flowd.domain.dag_spec import dag_to_json
from flowd.domain.errors import FlowdError
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import DagWarning, StubWarning
from flowd.sdk.secret_values import masked
from flowd.sdk.serialize import serialize


def main(channel: Channel, payload: dict[str, Any]) -> None:
    """Parse `payload["file"]` in `payload["folder"]` and send the result.

    It holds `dags`, and an entry in `errors` (dag_id, message, traceback) for each DAG that cannot be run; or
    `import_error`, where the file itself raised. `warnings` are texts; `notes` say of each which line it is about, 0
    where that is unknown, and whether a task will fail for it.
    """
    # Whatever stays open of a refused file (threads, atexit) is the keeper's to end with this process.
    notes: dict[str, dict[str, Any]] = {}
    path = os.path.join(payload["folder"], payload["file"])

    def hear(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, DagWarning):
            told = {"text": str(message), "line": _line_of(path), "is_stub": issubclass(category, StubWarning)}
            notes.setdefault(str(message), told)

    with warnings.catch_warnings(), kept(channel):
        warnings.simplefilter("always", DagWarning)
        warnings.showwarning = hear
        document = _parse(payload["folder"], payload["file"])
    channel.send_result({**document, "warnings": list(notes), "notes": list(notes.values())})


def _line_of(path: str) -> int:
    """The line of the file that is being executed: what is called from there may lie in any other file."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename != path:
        frame = frame.f_back
    return 0 if frame is None else frame.f_lineno


def _parse(folder: str, file: str) -> dict[str, Any]:
    try:
        dags = load(folder, file)
    except BaseException as error:
        return {"import_error": _import_error(error, file)}
    parsed: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for dag in dags:
        try:
            parsed.append(dag_to_json(serialize(dag, file)))
        except Exception as error:
            message = str(error) if isinstance(error, FlowdError) else f"{file}: DAG {dag.dag_id!r}: {error!r}"
            errors.append(
                {"dag_id": dag.dag_id, "message": masked(message), "traceback": masked(traceback.format_exc())}
            )
    return {"dags": parsed, "errors": errors}


def _import_error(error: BaseException, file: str) -> dict[str, str]:
    described = describe(error)
    message = described["message"]
    if isinstance(error, SystemExit):
        message += " while the file was imported; put what ends the process under `if __name__ == '__main__':`"
    return {"message": f"{file}: {message}", "traceback": described["traceback"]}
