"""Entry point of a process that parses one DAG file and reports what it defines."""

import traceback
import warnings
from typing import Any

from flowd.child.channel import Channel
from flowd.child.outcome import describe
from flowd.domain.dag_spec import dag_to_json
from flowd.domain.errors import FlowdError
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.serialize import serialize
from flowd.sdk.supervisor import supervised_by


def main(channel: Channel, payload: dict[str, Any]) -> None:
    """Parse `payload["file"]` in `payload["folder"]` and send the result.

    It holds `dags`, and an entry in `errors` (dag_id, message, traceback) for each DAG that cannot be run; or
    `import_error`, where the file itself raised. `warnings` are texts.
    """
    # Whatever stays open of a refused file (threads, atexit) is the keeper's to end with this process.
    with warnings.catch_warnings(record=True) as caught, supervised_by(channel):
        warnings.simplefilter("always", DagWarning)
        document = _parse(payload["folder"], payload["file"])
    texts = [str(warning.message) for warning in caught if issubclass(warning.category, DagWarning)]
    channel.send_result({**document, "warnings": list(dict.fromkeys(texts))})


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
            errors.append({"dag_id": dag.dag_id, "message": message, "traceback": traceback.format_exc()})
    return {"dags": parsed, "errors": errors}


def _import_error(error: BaseException, file: str) -> dict[str, str]:
    described = describe(error)
    message = described["message"]
    if isinstance(error, SystemExit):
        message += " while the file was imported; put what ends the process under `if __name__ == '__main__':`"
    return {"message": f"{file}: {message}", "traceback": described["traceback"]}
