"""The arguments of the bench."""

import argparse
from pathlib import Path

from bench.cluster.backend import Backend
from bench.keeper.cost import LAUNCHES
from bench.profiling import EVERY_ROLE
from bench.scenarios.catalogue import PROFILED, SCENARIOS, STANDARD


def parser() -> argparse.ArgumentParser:
    """Return the parser. `only` is None where the standard set, or with `full` every scenario, is meant."""
    found = argparse.ArgumentParser(
        prog="python -m bench", description="What flowd costs, beside this machine's limits in the same run."
    )
    found.add_argument(
        "--only", type=_scenarios, metavar="A,B", help=f"some of {','.join(SCENARIOS)}; without it {','.join(STANDARD)}"
    )
    found.add_argument(
        "--backend", type=_backends, default=list(Backend), metavar="A,B", help=f"some of {','.join(Backend)}"
    )
    found.add_argument("--quick", action="store_true", help="one run of each, and less of all that takes time")
    found.add_argument(
        "--full", action="store_true", help="all scenarios: a million finished tasks, runs of 10,000, more nodes"
    )
    found.add_argument(
        "--celery", action="store_true", help="measure raw Celery as well, installed into .bench/celery-venv"
    )
    found.add_argument("--json", type=Path, metavar="PATH", help="where the record goes; .bench/TIME.json without it")
    found.add_argument("--keep", action="store_true", help="keep the nodes' homes and logs")
    found.add_argument(
        "--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"), help="measure nothing: compare two records"
    )
    found.add_argument(
        "--markdown", type=Path, metavar="RECORD", help="measure nothing: print a record's tables in Markdown"
    )
    found.set_defaults(command="bench")
    commands = found.add_subparsers(dest="command", metavar="profile|keeper")
    profile = commands.add_parser("profile", help=f"one node, {EVERY_ROLE}, in this process under cProfile")
    profile.add_argument("--scenario", choices=PROFILED, required=True)
    profile.add_argument("--backend", type=Backend, choices=list(Backend), default=Backend.SQLITE)
    profile.add_argument(
        "--sort", choices=("tottime", "cumtime"), default="tottime", help="by own time, or with callees"
    )
    profile.add_argument("--top", type=int, default=40, help="how many functions are printed")
    profile.add_argument("--runs", type=int, default=1, help="how many runs are profiled, after one to warm up")
    profile.add_argument("--keep", action="store_true", help="keep the node's home and log")
    keeper = commands.add_parser("keeper", help="the keeper alone: CPU of one task in keeper, fork server and child")
    keeper.add_argument("--kind", action="append", choices=list(LAUNCHES), help="default: all")
    keeper.add_argument("--tasks", type=int, default=400, help="how many tasks of each kind")
    return found


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
