"""`python -m bench.demo HOME`: start a node with the demo on embedded SQLite, and serve it until Ctrl-C."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.demo.dag_files import FAILING, write_dag_files
from bench.demo.past import now_utc, write_past

FLOWD = Path(sys.executable).parent / "flowd"
READY_SECONDS = 120
RUNNING = ("nightly_reconciliation", "sales_orders_etl", "ml_churn_training", "warehouse_refresh", FAILING)
RESTED = ("platform_vacuum", "marketing_newsletter_etl")


def main() -> int:
    """Run it."""
    arguments = argparse.ArgumentParser(prog="python -m bench.demo", description=__doc__)
    arguments.add_argument("home", type=Path, help="where its DAG files, metastore and logs go")
    arguments.add_argument("--days", type=int, default=90, help="how far the past goes back")
    given = arguments.parse_args()
    home = given.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    environ = os.environ | {
        "FLOWD_HOME": str(home),
        "FLOWD__DAGS__FOLDER": str(home / "dags"),
        "FLOWD__DAGS__PAUSED_AT_CREATION": "true",
    }
    dag_ids = write_dag_files(home / "dags")
    node = subprocess.Popen([str(FLOWD), "run"], env=environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: node.terminate())
    _await_dags(environ, len(dag_ids), node)
    written = asyncio.run(write_past(f"sqlite:///{home}/flowd.db", days=given.days, now=now_utc()))
    for dag_id in dag_ids:
        if dag_id not in RESTED:
            _flowd(environ, "dags", "unpause", dag_id)
    for dag_id in RUNNING:
        _flowd(environ, "dags", "trigger", dag_id)
    print(f"{len(dag_ids)} DAGs, {written} runs", flush=True)
    return node.wait()


def _await_dags(environ: dict[str, str], count: int, node: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    while _flowd(environ, "dags", "list", "-o", "json").count('"dag_id"') < count:
        if node.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the node did not read the DAG files of the demo")
        time.sleep(0.5)


def _flowd(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([str(FLOWD), *arguments], env=environ, capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
