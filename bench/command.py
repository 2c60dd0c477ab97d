"""The command line of the bench."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.arguments import parser
from bench.celery.limits import celery_limits
from bench.changes import changes_rows
from bench.cluster.place import open_place
from bench.keeper.cost import LAUNCHES, RAW, keeper_cost, raw_cost
from bench.keeper.table import keeper_table
from bench.limits.parallelism import IN_FLIGHT
from bench.profiling import Profiling
from bench.record import Record
from bench.scenarios.catalogue import SCENARIOS, STANDARD
from bench.scenarios.scenario import QUICK, Effort
from bench.scenarios.targets import TARGETS
from bench.suite import run_suite
from bench.table import details_rows, failures_table, figures_rows, limits_rows, parts_rows, summary, tables
from bench.text_table import aligned, markdown

STOPPED = 128 + signal.SIGTERM

RECORDS = Path(".bench").absolute()
"""In the current folder, and so on the disk whose commits are the limit."""


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments ask for and return the exit code: 1 where a scenario gave no figure."""
    chosen = parser().parse_args(arguments)
    if chosen.command == "profile":
        return _profile(chosen)
    if chosen.command == "keeper":
        return _keeper(chosen)
    try:
        if chosen.compare:
            before, after = map(Record.read, chosen.compare)
            print(aligned(changes_rows(before, after)))
            return 0
        if chosen.markdown:
            print(_in_markdown(Record.read(chosen.markdown)))
            return 0
    except (OSError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return _bench(chosen)


def _bench(chosen: argparse.Namespace) -> int:
    wanted = chosen.only or (SCENARIOS if chosen.full else STANDARD)
    names = [name for name in SCENARIOS if name in wanted]
    effort = QUICK if chosen.quick else Effort()
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {what}", file=sys.stderr, flush=True)

    with _tidy_end(), _folder(is_kept=chosen.keep) as folder:
        others = partial(celery_limits, RECORDS, effort.runs) if chosen.celery else tuple
        record = run_suite(names, chosen.backend, effort, folder, say, others)
    path = record.write(chosen.json or RECORDS / f"{record.at:%Y%m%dT%H%M%SZ}.json")
    parts = (
        tables(
            limits_rows(record.limits),
            figures_rows(record.figures, record.limits, TARGETS),
            details_rows(record.figures),
            parts_rows(record.figures),
        ),
        failures_table(record.failures),
        summary(record.figures, record.limits, TARGETS),
        f"The record is {path}",
    )
    print("\n" + "\n\n".join(part for part in parts if part))
    return 1 if record.failures else 0


def _in_markdown(record: Record) -> str:
    machine = record.machine
    head = f"Measured on {record.at:%Y-%m-%d}: {machine.cores} cores, Python {machine.python}, {machine.system}."
    rows = (
        figures_rows(record.figures, record.limits, TARGETS),
        limits_rows(record.limits),
        details_rows(record.figures),
        parts_rows(record.figures),
    )
    return "\n\n".join([head, *(markdown(table) for table in rows if len(table) > 1)])


def _profile(chosen: argparse.Namespace) -> int:
    scenario = SCENARIOS[chosen.scenario]
    with (
        _folder(is_kept=chosen.keep) as folder,
        open_place(chosen.backend, scenario.layout, folder / chosen.backend) as place,
    ):
        effort = Effort(runs=chosen.runs, samples=chosen.runs * 10)
        Profiling(place, scenario, effort).run(sort=chosen.sort, top=chosen.top)
    return 0


def _keeper(chosen: argparse.Namespace) -> int:
    raw = [raw_cost(name, 0.7) for name in RAW]
    with _folder(is_kept=False) as folder:
        found = [
            keeper_cost(name, folder / f"{name}-{in_flight}", tasks=chosen.tasks, in_flight=in_flight)
            for name in chosen.kind or LAUNCHES
            for in_flight in (IN_FLIGHT, 1)
        ]
    print(keeper_table(raw, found))
    return 0


@contextmanager
def _tidy_end() -> Iterator[None]:
    """Let SIGTERM end the bench as an error does: else its nodes would run on, and its databases stay."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _folder(*, is_kept: bool) -> Iterator[Path]:
    RECORDS.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=RECORDS)).absolute()
    try:
        yield folder
    finally:
        if is_kept:
            print(f"bench: the files of the nodes are in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
