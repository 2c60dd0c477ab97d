"""`python -m bench.pages`: how fast and how heavy every page is, over 1,000 DAGs with 1,000,000 task instances."""

import argparse
import random
import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench.cluster.backend import Backend
from bench.cluster.place import ADMIN_PASSWORD
from bench.pages.figures import PageFigure, rows_of, summary
from bench.pages.instance import Instance, drop_instance, open_instance
from bench.pages.page_map import PAGES
from bench.pages.reader import PageReader
from bench.text_table import aligned, markdown

BACKENDS = (Backend.SQLITE, Backend.POSTGRES_DATABASE)
WARM_UP = 3


def main() -> int:
    """Run it."""
    arguments = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    arguments.add_argument("--backend", type=Backend, action="append", choices=BACKENDS, help="default: both")
    arguments.add_argument("--home", type=Path, help="fill an instance here, or use the one that is here, and keep it")
    arguments.add_argument("--only", metavar="TEXT", default="", help="pages with this in their names alone")
    arguments.add_argument("--looks", type=int, default=40, help="how often each page is looked at")
    arguments.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    given = arguments.parse_args()
    home = (given.home or Path(tempfile.mkdtemp(prefix="flowd-pages-"))).absolute()
    figures: dict[str, list[PageFigure]] = {}
    try:
        for backend in given.backend or BACKENDS:
            began = time.monotonic()
            instance = open_instance(backend, home / backend)
            try:
                print(f"{backend}: there after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
                figures[backend] = _measure(instance, given.only, given.looks)
            finally:
                if given.home is None:
                    drop_instance(instance)
    finally:
        if given.home is None:
            shutil.rmtree(home, ignore_errors=True)
    print((markdown if given.markdown else aligned)(rows_of(figures)))
    print(f"\n{summary(figures)}")
    return 0


def _measure(instance: Instance, only: str, looks: int) -> list[PageFigure]:
    known = instance.known()
    large, small = instance.large_and_small_log(known)
    pages = PAGES | {"log of 1 KB": lambda *_: small, "log of 1 GB, at its end": lambda *_: large}
    found = []
    with instance.serve() as port, closing(PageReader(port, ADMIN_PASSWORD)) as reader:
        for name, path in pages.items():
            if only in name:
                chance = random.Random(name)
                for _ in range(WARM_UP):
                    reader.read(path(known, chance))
                found.append(PageFigure.of(name, [reader.read(path(known, chance)) for _ in range(looks)]))
    return found


if __name__ == "__main__":
    sys.exit(main())
