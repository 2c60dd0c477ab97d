"""The command line of the bench."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.cluster.backend import Backend, open_place
from bench.profiling import EVERY_ROLE, Profiling
from bench.scenarios.catalogue import SCENARIOS
from bench.scenarios.scenario import QUICK, Effort
from bench.suite import run_suite
from bench.table import details_table, failures_table, figures_table, limits_table

RECORDS = Path(".bench")
"""In the current folder, and so on the disk whose commits are the limit."""


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments ask for and return the exit code: 1 where a scenario gave no figure."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "profile":
        return _profile(chosen)
    return _bench(chosen)


def _bench(chosen: argparse.Namespace) -> int:
    names = [name for name in SCENARIOS if name in chosen.only]
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {what}", file=sys.stderr, flush=True)

    with _folder(is_kept=chosen.keep) as folder:
        record = run_suite(names, chosen.backend, QUICK if chosen.quick else Effort(), folder, say)
    parts = (
        limits_table(record.limits),
        figures_table(record.figures, record.limits) if record.figures else "",
        details_table(record.figures),
        failures_table(record.failures),
    )
    print("\n" + "\n\n".join(part for part in parts if part))
    print(f"\nThe record is {record.write(RECORDS)}")
    return 1 if record.failures else 0


def _profile(chosen: argparse.Namespace) -> int:
    with _folder(is_kept=chosen.keep) as folder, open_place(chosen.backend, folder / chosen.backend) as place:
        effort = Effort(runs=chosen.runs, samples=chosen.runs * 10)
        Profiling(place, SCENARIOS[chosen.scenario], effort).run(sort=chosen.sort, top=chosen.top)
    return 0


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="What flowd costs beside this machine's limits."
    )
    parser.add_argument(
        "--only", type=_scenarios, default=list(SCENARIOS), metavar="A,B", help=f"some of {','.join(SCENARIOS)}"
    )
    parser.add_argument(
        "--backend", type=_backends, default=list(Backend), metavar="A,B", help=f"some of {','.join(Backend)}"
    )
    parser.add_argument("--quick", action="store_true", help="one run of each, and less of all that takes time")
    parser.add_argument("--keep", action="store_true", help="keep the nodes' homes and logs")
    parser.set_defaults(command="bench")
    commands = parser.add_subparsers(dest="command", metavar="profile")
    profile = commands.add_parser("profile", help=f"one node, {EVERY_ROLE}, in this process under cProfile")
    profile.add_argument("--scenario", choices=list(SCENARIOS), required=True)
    profile.add_argument("--backend", type=Backend, choices=list(Backend), default=Backend.SQLITE)
    profile.add_argument(
        "--sort", choices=("tottime", "cumtime"), default="tottime", help="by own time, or with callees"
    )
    profile.add_argument("--top", type=int, default=40, help="how many functions are printed")
    profile.add_argument("--runs", type=int, default=1, help="how many runs are profiled, after one to warm up")
    profile.add_argument("--keep", action="store_true", help="keep the node's home and log")
    return parser


def _scenarios(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is no scenario; wanted some of {', '.join(SCENARIOS)}")
    return names


def _backends(text: str) -> list[Backend]:
    try:
        return [Backend(name) for name in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; wanted some of {', '.join(Backend)}") from error
