"""celery_limits: what raw Celery does on the same RabbitMQ, with as many processes as flowd's worker has slots."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figure import Limit, Unit
from bench.limits.parallelism import IN_FLIGHT
from bench.servers.rabbitmq import amqp_url, delete_queues

_HERE = Path(__file__).resolve().parent
_STOP_SECONDS = 20
_WORDS = {
    "chain": ("a task in a chain of 40", Unit.MILLISECONDS),
    "bash": ("`bash -c true` out of 500", Unit.PER_SECOND),
    "noop": ("no-ops out of 500", Unit.PER_SECOND),
    "first": ("from send to first instruction", Unit.MILLISECONDS),
}


def celery_limits(folder: Path, runs: int) -> list[Limit]:
    """Install Celery into `folder` where it is missing, run a worker, measure; raise RuntimeError where that fails."""
    python = _install(folder / "celery-venv")
    queue = f"bench-celery-{secrets.token_hex(6)}"
    journal = folder / f"{queue}.journal"
    environ = {
        **os.environ,
        "BENCH_CELERY_BROKER": amqp_url(),
        "BENCH_CELERY_QUEUE": queue,
        "BENCH_CELERY_JOURNAL": str(journal),
    }
    try:
        with _worker(python, environ, folder / "celery.log"):
            done = subprocess.run(
                [python, _HERE / "drive.py", str(runs)], env=environ, cwd=_HERE, capture_output=True, text=True
            )
    finally:
        asyncio.run(delete_queues(queue))
        journal.unlink(missing_ok=True)
    if done.returncode:
        raise RuntimeError(f"Celery could not be measured: {done.stderr.strip()[-1000:]}; see {folder / 'celery.log'}")
    version = subprocess.check_output([python, "-c", "import celery; print(celery.__version__)"], text=True).strip()
    return [
        Limit(
            name=f"celery.{name}",
            words=f"Celery {version} on RabbitMQ: {words}, {IN_FLIGHT} processes",
            unit=unit,
            values=tuple(json.loads(done.stdout)[name]),
        )
        for name, (words, unit) in _WORDS.items()
    ]


def _install(place: Path) -> Path:
    python = place / "bin" / "python"
    if not python.exists():
        print(f"bench: installing Celery into {place}", file=sys.stderr)
        venv.create(place, with_pip=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", "celery>=5.5"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Celery could not be installed into {place}: {done.stderr.strip()[-1000:]}")
    return python


@contextmanager
def _worker(python: Path, environ: dict[str, str], log: Path) -> Iterator[None]:
    command = [
        str(python),
        "-m",
        "celery",
        "-A",
        "tasks",
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        str(IN_FLIGHT),
    ]
    with open(log, "wb") as output:
        worker = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle", "--loglevel", "WARNING"],
            env=environ,
            cwd=_HERE,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            worker.terminate()
            try:
                worker.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
