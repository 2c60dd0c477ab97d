"""lint_folder: parses the files of a DAG folder as a scheduler would, and says of each line what becomes of it."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from flowd.cli.parse_files import parse_files
from flowd.domain.errors import NotFound

if TYPE_CHECKING:
    from flowd.roles.scheduler.dag_parse_result import ParsedFile
    from flowd.settings.model import Settings

SEVERAL = "several files"
"""In the place of a file's name."""

_NAMED = re.compile(r"(?:task|DAG|Operator|Sensor|group)\w* '([^']+)'")


class Verdict(StrEnum):
    """What becomes of a file, or of a line of it; the later, the worse."""

    NONE = "none"
    RUNS = "runs"
    WARNING = "warning"
    STUB = "stub"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """How bad it is."""
        return list(Verdict).index(self)

    @property
    def is_failure(self) -> bool:
        """True where something would fail."""
        return self in (Verdict.STUB, Verdict.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A thing to say of a file; `line` is 0 where it is about no line."""

    file: str
    line: int
    verdict: Verdict
    what: str


def lint_folder(settings: "Settings", path: str) -> list[Finding]:
    """Return the findings of every DAG file below `path`, or of the one file that it is, in the order of paths.

    What is said of several files and of no line in them, such as of a plugin, is one finding, of SEVERAL.
    Variables and connections are answered as in an empty metastore. Raises NotFound where there is no such path.
    """
    from flowd.roles.scheduler.dag_folder import DagFolder

    path = os.path.abspath(path)
    if os.path.isfile(path):
        folder, files = os.path.dirname(path), [os.path.basename(path)]
    elif os.path.isdir(path):
        folder = path
        files = DagFolder(folder, most_bytes=settings.dags.max_bundle_size).scan().candidates
    else:
        raise NotFound(f"there is no file or folder {path}")
    parsed = parse_files(settings, folder, files)
    return _once([finding for file in files for finding in _findings(folder, file, parsed[file])])


def _once(findings: list[Finding]) -> list[Finding]:
    of_no_line = Counter(one.what for one in findings if one.verdict is Verdict.WARNING and not one.line)
    shared = [
        Finding(file=SEVERAL, line=0, verdict=Verdict.WARNING, what=what) for what, n in of_no_line.items() if n > 1
    ]
    own = [one for one in findings if replace(one, file=SEVERAL) not in shared]
    return shared + own


def _findings(folder: str, file: str, parsed: "ParsedFile") -> Iterator[Finding]:
    try:
        with open(os.path.join(folder, file), encoding="utf-8", errors="replace") as text:
            source = text.read().splitlines()
    except OSError:
        source = []
    if parsed.error is not None:
        for message in parsed.error.split(f"\n\n{file}: "):
            said, _, trace = message.removeprefix(f"{file}: ").partition("\n")
            line = _line_in_trace(file, said + trace) or _line_of_name(said, source)
            yield Finding(file=file, line=line, verdict=Verdict.ERROR, what=said)
    for note in parsed.notes:
        verdict = Verdict.STUB if note.is_stub else Verdict.WARNING
        yield Finding(file=file, line=note.line or _line_of_name(note.text, source), verdict=verdict, what=note.text)
    if parsed.dags:
        names = ", ".join(sorted(dag.dag_id for dag in parsed.dags))
        tasks = sum(len(dag.tasks) for dag in parsed.dags)
        yield Finding(file=file, line=0, verdict=Verdict.RUNS, what=f"{names} ({tasks} tasks)")
    elif parsed.error is None:
        yield Finding(file=file, line=0, verdict=Verdict.NONE, what="defines no DAG")


def _line_in_trace(file: str, trace: str) -> int:
    lines = re.findall(rf'File "[^"]*{re.escape(file)}", line (\d+)', trace)
    return int(lines[-1]) if lines else 0


def _line_of_name(message: str, source: list[str]) -> int:
    """Return the first line with the id of the task or DAG that the message names: tasks before DAGs."""
    for name in reversed(_NAMED.findall(message)):
        last = name.rpartition(".")[2]
        for number, line in enumerate(source, start=1):
            if f'"{last}"' in line or f"'{last}'" in line or re.search(rf"def {re.escape(last)}\b", line):
                return number
    return 0
