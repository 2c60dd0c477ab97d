"""ParsedFile: what came of parsing one DAG file, read from how its process ended."""

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flowd.child.launch import Ended, EndedBy
from flowd.domain.dag_spec import DagSpec, check_durations, dag_from_json
from flowd.domain.errors import FlowdError
from flowd.domain.graph import graph_of
from flowd.domain.ids import DagId

LONGEST_ERROR = 64 * 1024
"""Characters of an import error that are kept: its beginning and its end."""

LONGEST_DAG_ID = 250
_DAG_ID = re.compile(r"[\w.-]+")
_NO_RESULT = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading a document of another form raises: user code may have written it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseNote:
    """A warning, the line it is about (0 where that is unknown), and whether a task will fail for it."""

    text: str
    line: int
    is_stub: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """The DAGs of a file and, where something is wrong, an error that a person can act on.

    `refused` are DAGs that the file defines and that cannot be run. `is_broken` where it is unknown what it defines.
    """

    dags: tuple[DagSpec, ...] = ()
    refused: tuple[DagId, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[ParseNote, ...] = ()
    error: str | None = None
    is_broken: bool = False
    seconds: float = 0.0

    @property
    def claimed(self) -> frozenset[DagId]:
        """Every DAG id the file has a definition of, right or wrong."""
        return frozenset({*(dag.dag_id for dag in self.dags), *self.refused})


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseBounds:
    """What parsing one file may take."""

    timeout: timedelta
    memory_bytes: int
    open_files: int = 1024


def broken(error: str, *, seconds: float = 0.0) -> ParsedFile:
    """Return a file that could not be parsed at all."""
    return ParsedFile(error=_shortened(error), is_broken=True, seconds=seconds)


def parsed_file(file: str, ended: Ended, stderr_tail: str, bounds: ParseBounds, seconds: float) -> ParsedFile:
    """Return what the end of the process that parsed `file` says, with the end of its stderr where that helps."""
    if ended.result is None:
        error = f"{file}: {_death(ended, stderr_tail, bounds)}"
        return broken(f"{error}\n\n{stderr_tail}" if stderr_tail else error, seconds=seconds)
    failure = ended.result.get("import_error")
    if isinstance(failure, Mapping):
        message, trace = str(failure.get("message")), str(failure.get("traceback") or "").rstrip()
        if "MemoryError" in message:
            message = f"{file}: {_out_of_memory(bounds)}"
        return broken(f"{message}\n\n{trace}" if trace else message, seconds=seconds)
    try:
        parsed = _read(file, ended.result, seconds)
    except _NO_RESULT as error:
        return broken(f"{file}: its process sent something that is no result ({error!r})", seconds=seconds)
    return parsed if ended.by is EndedBy.EXIT else _with_late_end(file, parsed, bounds)


def _read(file: str, result: Mapping[str, Any], seconds: float) -> ParsedFile:
    errors = [str(one["message"]) for one in result.get("errors", ())]
    refused = [DagId(str(one["dag_id"])) for one in result.get("errors", ())]
    dags: list[DagSpec] = []
    for document in result["dags"]:
        dag_id = DagId(str(document["dag_id"]))
        try:
            dags.append(_checked(file, dag_from_json(document)))
        except (FlowdError, *_NO_RESULT) as error:
            errors.append(f"{file}: {error if isinstance(error, FlowdError) else repr(error)}")
            refused.append(dag_id)
    return ParsedFile(
        dags=tuple(dags),
        refused=tuple(refused),
        warnings=tuple(str(text) for text in result.get("warnings", ())),
        notes=tuple(
            ParseNote(text=str(one["text"]), line=int(one["line"]), is_stub=bool(one["is_stub"]))
            for one in result.get("notes", ())
        ),
        error=_shortened("\n\n".join(errors)) if errors else None,
        seconds=seconds,
    )


def _checked(file: str, dag: DagSpec) -> DagSpec:
    """What a child process says is checked again: user code ran in it."""
    if dag.file != file:
        raise ValueError(f"DAG {dag.dag_id!r} says it is from {dag.file!r}")
    if len(dag.dag_id) > LONGEST_DAG_ID or not _DAG_ID.fullmatch(dag.dag_id):
        raise ValueError(
            f"DAG {dag.dag_id[:40]!r}: an id has at most {LONGEST_DAG_ID} letters, digits, dashes, dots and underscores"
        )
    check_durations(dag)
    graph_of(dag)
    return dag


def _with_late_end(file: str, parsed: ParsedFile, bounds: ParseBounds) -> ParsedFile:
    warning = (
        f"{file}: its process did not end within {_seconds(bounds.timeout)} of being imported: threads that the file"
        " starts at its top level must be daemons, or be started in a task"
    )
    return ParsedFile(
        dags=parsed.dags,
        refused=parsed.refused,
        warnings=(*parsed.warnings, warning),
        notes=(*parsed.notes, ParseNote(text=warning, line=0, is_stub=False)),
        error=parsed.error,
        seconds=parsed.seconds,
    )


def _death(ended: Ended, stderr_tail: str, bounds: ParseBounds) -> str:
    match ended.by:
        case EndedBy.TIMEOUT:
            return (
                f"took longer than {_seconds(bounds.timeout)} to import: move slow work out of the top level of the"
                " file into tasks, or raise FLOWD__DAGS__PARSE_TIMEOUT"
            )
        case EndedBy.NOT_STARTED:
            return f"no process could be started to import it: {ended.error}"
        case EndedBy.CANCEL | EndedBy.FENCE:
            return f"its import was stopped: {ended.error}"
        case EndedBy.EXIT:
            return _exit(ended, stderr_tail, bounds)


def _exit(ended: Ended, stderr_tail: str, bounds: ParseBounds) -> str:
    if "MemoryError" in stderr_tail:
        return _out_of_memory(bounds)
    if ended.error:
        return f"its import has no result: {ended.error}"
    if ended.signal is not None:
        hint = ": it killed itself, or the system ran out of memory" if ended.signal == signal.SIGKILL else ""
        return f"killed by {signal_name(ended.signal)} while it was imported{hint}"
    return (
        f"called os._exit({ended.exit_code}) while it was imported: put what ends the process under"
        " `if __name__ == '__main__':`"
    )


def _out_of_memory(bounds: ParseBounds) -> str:
    mib = bounds.memory_bytes / 1024**2
    limit = f"{mib / 1024:g} GiB" if mib >= 1024 else f"{mib:g} MiB"
    return (
        f"ran out of memory (limit {limit}) while it was imported: load data in tasks, or raise"
        " FLOWD__DAGS__PARSE_MEMORY"
    )


def signal_name(number: int) -> str:
    """Return SIGKILL for 9, and so on."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def stderr_tail(log: Sequence[str], *, lines: int = 20) -> str:
    """Return the last lines of stderr in a parse's log, without the time and stream before each."""
    texts = [parts[2] for line in log if len(parts := line.split(" ", 2)) == 3 and parts[1] in "eE"]
    return "\n".join(texts[-lines:]).strip()


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g} s"


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_ERROR:
        return text
    half = LONGEST_ERROR // 2
    return f"{text[:half]}\n[{len(text) - LONGEST_ERROR} characters left out]\n{text[-half:]}"
