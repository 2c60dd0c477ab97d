"""The schema's revisions: what they make is what tables.py says, whoever runs them and how many at once."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from flowd.db import migrate
from flowd.db.columns import WHOLE
from flowd.db.metastore import Metastore
from flowd.db.migrate import SCRIPTS, downgrade, reset, upgrade
from flowd.db.revisions import HEAD, REVISIONS, SchemaState, current
from flowd.db.tables import metadata
from flowd.domain.errors import Conflict, InvalidInput, MetastoreUnavailable
from tests.support.services import MariadbServer


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/flowd.db"
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def metastore(empty_url: str) -> AsyncIterator[Metastore]:
    empty = Metastore(empty_url, pool_size=3)
    yield empty
    await empty.close()


async def differences(metastore: Metastore) -> list[Any]:
    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "include_object": _is_for_postgresql}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with metastore.reading() as tx:
        return await tx.connection.run_sync(compare)


def _is_for_postgresql(made: Any, _name: str | None, kind: str, *_: object) -> bool:
    return kind != "index" or WHOLE not in made.info


async def execute(metastore: Metastore, statement: str) -> list[Any]:
    async with metastore.transaction() as tx:
        return list(await tx.execute(statement))


def test_the_list_of_revisions_is_the_one_on_disk() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    on_disk = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    assert tuple(reversed(on_disk)) == REVISIONS


async def test_an_upgrade_of_an_empty_database_brings_it_to_the_head(metastore: Metastore) -> None:
    before = await current(metastore)
    after = await upgrade(metastore)

    assert (before.state, before.found) == (SchemaState.EMPTY, None)
    assert (after.state, after.found) == (SchemaState.UP_TO_DATE, HEAD)


async def test_an_upgrade_makes_what_the_tables_say_on_postgresql(postgres_url: str) -> None:
    metastore = Metastore(postgres_url)

    await upgrade(metastore)

    assert await differences(metastore) == []
    await metastore.close()


async def test_an_upgrade_makes_what_the_tables_say_on_sqlite_down_to_the_last_check_and_index(tmp_path: Path) -> None:
    metastore = Metastore(f"sqlite:///{tmp_path}/migrated.db")
    await upgrade(metastore)
    await metastore.close()
    plain = create_engine(f"sqlite:///{tmp_path}/plain.db")
    metadata.create_all(plain)
    plain.dispose()

    migrated, wanted = schema_of(tmp_path / "migrated.db"), schema_of(tmp_path / "plain.db")

    assert migrated == wanted
    assert any("WHERE" in statement for parts in wanted.values() for statement in parts)


async def test_an_upgrade_makes_what_the_tables_say_on_mariadb_word_for_word(mariadb_server: MariadbServer) -> None:
    async with mariadb_server.database() as migrated_url, mariadb_server.database() as plain_url:
        migrated, plain = Metastore(migrated_url), Metastore(plain_url)
        await upgrade(migrated)
        async with plain.transaction() as tx:
            await tx.connection.run_sync(metadata.create_all)

        for table in metadata.sorted_tables:
            assert await statement_of(migrated, table.name) == await statement_of(plain, table.name)

        await migrated.close()
        await plain.close()


async def statement_of(metastore: Metastore, table: str) -> list[str]:
    """The lines of MariaDB's own CREATE TABLE, in no order."""
    (row,) = await execute(metastore, f"SHOW CREATE TABLE {table}")
    return sorted(line.strip().removesuffix(",") for line in re.sub(r"AUTO_INCREMENT=\d+ ", "", row[1]).splitlines())


def schema_of(path: Path) -> dict[str, list[str]]:
    """The parts of every CREATE statement, in no order, for each table and index."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'alembic_version'")
        )
        schema = {name: sorted(re.split(r",\s*\n", sql.strip().removesuffix(")").strip())) for name, sql in rows}
    engine.dispose()
    return {
        name: sorted(re.sub(r"\s+", " ", part.partition("(\n")[2] or part).strip() for part in parts)
        for name, parts in schema.items()
    }


async def test_airflows_default_pool_is_there(metastore: Metastore) -> None:
    await upgrade(metastore)

    assert [tuple(row) for row in await execute(metastore, "SELECT name, slots FROM pool")] == [("default_pool", 128)]


async def test_a_downgrade_to_base_leaves_no_table(metastore: Metastore) -> None:
    await upgrade(metastore)

    status = await downgrade(metastore, "base")

    assert status.state is SchemaState.EMPTY
    async with metastore.reading() as tx:
        tables = await tx.connection.run_sync(lambda connection: inspect(connection).get_table_names())
    assert tables == ["alembic_version"]


async def test_a_second_upgrade_changes_nothing(metastore: Metastore) -> None:
    await upgrade(metastore)
    await execute(metastore, "INSERT INTO variable (name, value) VALUES ('a', 'b')")

    assert (await upgrade(metastore)).state is SchemaState.UP_TO_DATE
    assert len(await execute(metastore, "SELECT * FROM variable")) == 1


async def test_a_reset_empties_every_table(metastore: Metastore) -> None:
    await upgrade(metastore)
    await execute(metastore, "INSERT INTO variable (name, value) VALUES ('a', 'b')")

    assert (await reset(metastore)).state is SchemaState.UP_TO_DATE
    assert await execute(metastore, "SELECT * FROM variable") == []


async def test_processes_that_upgrade_at_the_same_time_take_turns(metastore: Metastore) -> None:
    url = metastore.url.render_as_string(hide_password=False)
    others = [Metastore(url) for _ in range(3)]

    statuses = await asyncio.gather(*(upgrade(one) for one in others))

    assert {status.state for status in statuses} == {SchemaState.UP_TO_DATE}
    for one in others:
        await one.close()


@pytest.mark.parametrize(
    ("revision", "state"),
    [("0999", SchemaState.AHEAD), ("22ed7efa9da2", SchemaState.FOREIGN)],
)
async def test_a_schema_that_is_newer_or_not_ours_is_left_alone(
    metastore: Metastore, revision: str, state: SchemaState
) -> None:
    await upgrade(metastore)
    await execute(metastore, f"UPDATE alembic_version SET version_num = '{revision}'")

    assert (await current(metastore)).state is state
    for action in (upgrade, reset):
        with pytest.raises(Conflict, match=revision):
            await action(metastore)


async def test_tables_of_our_names_without_a_revision_are_somebody_elses(metastore: Metastore) -> None:
    await execute(metastore, "CREATE TABLE dag_run (id INTEGER)")

    assert (await current(metastore)).state is SchemaState.FOREIGN
    with pytest.raises(Conflict, match="a database of its own"):
        await upgrade(metastore)


async def test_an_older_revision_is_behind(metastore: Metastore, monkeypatch: pytest.MonkeyPatch) -> None:
    await upgrade(metastore)
    monkeypatch.setattr("flowd.db.revisions.HEAD", "0002")

    status = await current(metastore)

    assert status.state is SchemaState.BEHIND
    assert "flowd db migrate" in str(status)


async def test_a_revision_that_does_not_exist_is_refused(metastore: Metastore) -> None:
    with pytest.raises(InvalidInput, match="wanted one of base, 0001"):
        await downgrade(metastore, "0815")


async def test_a_failing_revision_leaves_the_database_as_it_was(
    metastore: Metastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "migrations"
    (broken / "versions").mkdir(parents=True)
    (broken / "env.py").write_text((SCRIPTS / "env.py").read_text())
    baseline = (SCRIPTS / "versions" / "v0001_baseline.py").read_text()
    assert "op.bulk_insert(" in baseline
    (broken / "versions" / "v0001.py").write_text(baseline.replace("op.bulk_insert(", "op.no_such_operation("))
    monkeypatch.setattr(migrate, "SCRIPTS", broken)

    with pytest.raises(AttributeError):
        await upgrade(metastore)

    # MySQL cannot roll back a CREATE TABLE.
    left = SchemaState.EMPTY if metastore.dialect.is_ddl_transactional else SchemaState.CUT_OFF
    assert (await current(metastore)).state is left


async def test_a_first_upgrade_that_was_cut_off_begins_anew(mariadb_url: str) -> None:
    metastore = Metastore(mariadb_url)
    await upgrade(metastore)
    for statement in ("DELETE FROM alembic_version", "DROP TABLE xcom", "DROP TABLE task_transition"):
        await execute(metastore, statement)
    before = await current(metastore)

    after = await upgrade(metastore)

    assert (before.state, after.state) == (SchemaState.CUT_OFF, SchemaState.UP_TO_DATE)
    assert "cut off" in str(before) and "flowd db migrate" in str(before)
    assert [tuple(row) for row in await execute(metastore, "SELECT name FROM pool")] == [("default_pool",)]
    await metastore.close()


async def test_a_schema_that_has_lost_tables_is_neither_used_nor_mended(metastore: Metastore) -> None:
    await upgrade(metastore)
    await execute(metastore, "DROP TABLE xcom")

    with pytest.raises(Conflict, match="tables of it are missing"):
        await upgrade(metastore)

    assert (await reset(metastore)).state is SchemaState.UP_TO_DATE


async def test_whoever_waits_too_long_for_another_to_migrate_is_told_so(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0)
    metastore, other = Metastore(mariadb_url), Metastore(mariadb_url)

    async with other.transaction() as tx, migrate.alone(tx):
        with pytest.raises(MetastoreUnavailable, match="another process"):
            await upgrade(metastore)

    assert (await upgrade(metastore)).state is SchemaState.UP_TO_DATE
    await metastore.close()
    await other.close()
