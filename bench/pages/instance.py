"""A large instance that stays: its DAG files, metastore and logs, filled once and looked at as often as one likes."""

import asyncio
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from bench.cluster.api_client import ApiClient
from bench.cluster.backend import Backend, Metastore
from bench.cluster.free_port import free_port
from bench.cluster.node_process import NodeProcess
from bench.cluster.place import ADMIN_PASSWORD, common_environ
from bench.cluster.waiting import wait_until
from bench.pages.dag_files import DAGS, TASKS, write_dags
from bench.pages.page_map import Known
from bench.pages.past import Amount, write_past
from bench.servers.postgresql import drop_database, make_database
from flowd.db.asset_tables import asset
from flowd.db.metastore_url import normalise
from flowd.db.tables import dag_run
from flowd.logs.paths import log_path

KILOBYTE, GIGABYTE = 1_000, 1_000_000_000
LOG_DAG = "pages_0000"
SECRETS = 500
LARGE_PAST = Amount()
_LINE = "2026-01-01T00:00:{second:02}.000000Z o order {number:012} was joined with its customer and its items\n"
_NOTES = "instance.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """Where it lies, and what its nodes are told."""

    folder: Path
    database: str
    environ: dict[str, str]

    @contextmanager
    def serve(self, roles: str = "api") -> Iterator[int]:
        """Run a node with these roles; give its port."""
        port = free_port()
        node = NodeProcess(self.folder / f"node-{secrets.token_hex(3)}", roles, port, self.environ)
        try:
            node.start()
            yield port
        finally:
            node.stop()

    def known(self) -> Known:
        """Return what is in it."""
        return asyncio.run(self._known())

    def large_and_small_log(self, known: Known) -> tuple[str, str]:
        """Return the pages of a task whose log has a gigabyte, and of one with a kilobyte; write the logs once."""
        _write_logs(self, known)
        root = f"/dags/{LOG_DAG}/runs/{quote(_log_run(known), safe='')}/tasks/"
        return root + TASKS[0], root + TASKS[1]

    async def _known(self) -> Known:
        engine = create_async_engine(normalise(self.database)[0])
        try:
            async with engine.connect() as connection:
                found = await connection.execute(select(dag_run.c.dag_id, dag_run.c.run_id).order_by(dag_run.c.id))
                runs: dict[str, list[str]] = {}
                for dag_id, run_id in found:
                    runs.setdefault(dag_id, []).append(run_id)
                assets = (await connection.execute(select(func.count()).select_from(asset))).scalar_one()
        finally:
            await engine.dispose()
        return Known(runs=runs, assets=assets)


def open_instance(backend: Backend, folder: Path, amount: Amount = LARGE_PAST) -> Instance:
    """Return the instance of this folder; where there is none, fill one with so much, which takes minutes."""
    notes = folder / _NOTES
    if not notes.exists():
        folder.mkdir(parents=True)
        write_dags(folder / "dags")
        is_embedded = backend.metastore is Metastore.SQLITE
        database = f"sqlite:///{folder / 'flowd.db'}" if is_embedded else make_database()
        made = Instance(folder, database, common_environ(folder) | {"FLOWD__DATABASE__URL": database})
        _fill(made, amount)
        notes.write_text(json.dumps({"database": made.database, "environ": made.environ}))
    found = json.loads(notes.read_text())
    return Instance(folder, found["database"], found["environ"])


def drop_instance(instance: Instance) -> None:
    """Drop its database where that is on a server; its files are the caller's."""
    if not instance.database.startswith("sqlite"):
        drop_database(instance.database)


def _fill(instance: Instance, amount: Amount) -> None:
    with instance.serve("api,scheduler") as port, closing(ApiClient(port, ADMIN_PASSWORD)) as api:
        api.log_in()
        wait_until(lambda: api.count("/api/v2/dags") == DAGS + 2, f"{DAGS + 2} DAGs to be read", seconds=300, every=0.5)
        _make_secrets(api)
    write_past(instance.database, time.time_ns() // 1_000, amount)


def _make_secrets(api: ApiClient) -> None:
    for first in range(0, SECRETS, 100):
        names = [f"secret_{number:04}" for number in range(first, first + 100)]
        variables = [{"key": name, "value": "x" * 40} for name in names]
        connections = [{"connection_id": name, "conn_type": "http", "password": "x"} for name in names]
        for path, entities in (("variables", variables), ("connections", connections)):
            api.patch(f"/api/v2/{path}", {"actions": [{"action": "create", "entities": entities}]})


def _write_logs(instance: Instance, known: Known) -> None:
    for task_id, size in ((TASKS[0], GIGABYTE), (TASKS[1], KILOBYTE)):
        path = log_path(instance.folder / "logs", LOG_DAG, _log_run(known), task_id, -1, 1)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        block = "".join(_LINE.format(second=number % 60, number=number) for number in range(10_000)).encode()
        with path.open("wb") as file:
            for _ in range(size // len(block)):
                file.write(block)
            file.write(block[: size % len(block)].rpartition(b"\n")[0] + b"\n")


def _log_run(known: Known) -> str:
    return known.runs[LOG_DAG][1]
