"""`python -m bench.api`: the API under load, over 1,000 task instances and over 1,000,000, beside a bare route."""

import argparse
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from bench.api.bare_route import PATH, bare_route
from bench.api.calls import CALLS, requests_of
from bench.api.figures import rows_of, summary
from bench.api.wrk import CONNECTIONS, Answers, Request, load
from bench.cluster.api_client import ApiClient
from bench.cluster.backend import Backend
from bench.cluster.place import ADMIN_PASSWORD
from bench.pages.instance import LARGE_PAST, Instance, drop_instance, open_instance
from bench.pages.past import Amount
from bench.text_table import aligned, markdown

BACKENDS = (Backend.POSTGRES_DATABASE, Backend.SQLITE)
SMALL_PAST = Amount(dags=10, runs_per_dag=10, large_runs=0, events=1_000)
WARM_UP_SECONDS = 5.0


def main() -> int:
    """Run it."""
    arguments = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    arguments.add_argument("--backend", type=Backend, default=BACKENDS[0], choices=BACKENDS)
    arguments.add_argument(
        "--home", type=Path, help="fill the instances here, or use those that are here, and keep them"
    )
    arguments.add_argument("--only", metavar="TEXT", default="", help="calls with this in their names alone")
    arguments.add_argument("--seconds", type=float, default=10.0, help="how long each call is sent")
    arguments.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    given = arguments.parse_args()
    home = (given.home or Path(tempfile.mkdtemp(prefix="flowd-api-"))).absolute()
    instances: list[Instance] = []
    try:
        with bare_route() as port:
            bare = load(port, "", [Request(PATH)], given.seconds)
        found = []
        for name, amount in (("small", SMALL_PAST), ("large", LARGE_PAST)):
            folder = home / f"{given.backend}{'' if amount is LARGE_PAST else '-small'}"
            instances.append(open_instance(given.backend, folder, amount))
            print(f"{name}: there", file=sys.stderr, flush=True)
            found.append(_measure(instances[-1], given.only, given.seconds))
    finally:
        if given.home is None:
            for instance in instances:
                drop_instance(instance)
            shutil.rmtree(home, ignore_errors=True)
    small, large = found
    print(f"{given.backend}, {CONNECTIONS} connections, {given.seconds:.0f} s each\n")
    print((markdown if given.markdown else aligned)(rows_of(bare, small, large)))
    print(f"\n{summary(small, large)}")
    return 0


def _measure(instance: Instance, only: str, seconds: float) -> dict[str, Answers]:
    known = instance.known()
    found = {}
    with instance.serve() as port, closing(ApiClient(port, ADMIN_PASSWORD)) as api:
        token = api.log_in()
        for name in CALLS:
            if only in name:
                requests = requests_of(name, known)
                load(port, token, requests, WARM_UP_SECONDS)
                found[name] = load(port, token, requests, seconds)
    return found


if __name__ == "__main__":
    sys.exit(main())
