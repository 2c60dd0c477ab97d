"""TriggerProcess: the triggers of a bundle in a real process, which may die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flowd.child.keeper_client import Keeper
from flowd.db.triggers import News
from flowd.domain.deferral import TriggerSpec
from flowd.domain.ids import ClaimToken
from flowd.roles.worker.trigger_process import MOST_DEATHS, TriggerBench, TriggerProcess
from tests.child.keeper.launching import KEEPER_ENV, eventually, no_answer
from tests.roles.worker.benches import a_bench
from tests.roles.worker.reports import reporting
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite, token_of

CLASSES = "tests.roles.worker.triggers_at_hand"


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


class Fires:
    """What was fired."""

    def __init__(self) -> None:
        self.news: dict[ClaimToken, News] = {}

    async def __call__(self, token: ClaimToken, news: News) -> None:
        self.news[token] = news


@asynccontextmanager
async def a_process(site: LedgerSite, folder: Path, fires: Fires) -> AsyncIterator[TriggerProcess]:
    """A process for triggers of a library."""
    async with (
        reporting(site, folder) as reporter,
        Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper,
        asyncio.TaskGroup() as group,
    ):
        bench = a_bench(site.backends, reporter, folder)

        async def current() -> Keeper:
            return keeper

        triggers = TriggerBench(
            library=bench.library, bundles=bench.bundles, keeper=current, environ=bench.environ, logs=bench.logs
        )
        process = TriggerProcess(triggers, None, fires)
        running: list[asyncio.Task[None]] = []

        def want(wanted: dict[ClaimToken, TriggerSpec]) -> None:
            TriggerProcess.want(process, wanted)
            if wanted and all(task.done() for task in running):
                running.append(group.create_task(process.run()))

        process.want = want  # type: ignore[method-assign, assignment]
        try:
            yield process
        finally:
            for task in running:
                task.cancel()


def a_trigger(name: str, word: str = "hello", **kwargs: object) -> TriggerSpec:
    return TriggerSpec(classpath=f"{CLASSES}.{name}", kwargs={"word": word, **kwargs}, file="", is_in_bundle=False)


async def test_what_fires_or_fails_is_told(site: LedgerSite, tmp_path: Path) -> None:
    fires = Fires()
    async with a_process(site, tmp_path, fires) as process:
        process.want(
            {
                token_of(1): a_trigger("Firing"),
                token_of(2): a_trigger("Firing", is_asking=True),
                token_of(3): a_trigger("Failing"),
                token_of(4): a_trigger("Nowhere"),
                token_of(5): a_trigger("Leaking"),
            }
        )
        await eventually(lambda: len(fires.news) == 5)

    assert fires.news[token_of(1)] == News(event="hello")
    assert fires.news[token_of(2)] == News(event="unset")
    assert "RuntimeError: no such queue" in str(fires.news[token_of(3)].failure)
    assert "there is no trigger" in str(fires.news[token_of(4)].failure)
    assert "no such user: ***" in str(fires.news[token_of(5)].failure)
    assert "hunter22" not in str(fires.news[token_of(5)].failure)


async def test_what_is_wanted_no_longer_is_stopped_and_cleans_up(site: LedgerSite, tmp_path: Path) -> None:
    here, fires = tmp_path / "here", Fires()
    async with a_process(site, tmp_path, fires) as process:
        process.want({token_of(1): a_trigger("Waiting", str(here))})
        await eventually(here.exists)

        process.want({})

        await eventually(lambda: not here.exists())
    assert fires.news == {}


async def test_a_process_that_dies_is_followed_by_another(site: LedgerSite, tmp_path: Path) -> None:
    fires = Fires()
    async with a_process(site, tmp_path, fires) as process:
        process.want({token_of(1): a_trigger("Dying", str(tmp_path / "died"))})
        await eventually(lambda: bool(fires.news))

    assert fires.news == {token_of(1): News(event="at last")}


async def test_a_process_that_does_not_live_is_given_up_and_its_tasks_are_told(
    site: LedgerSite, tmp_path: Path
) -> None:
    fires = Fires()
    async with a_process(site, tmp_path, fires) as process:
        process.want({token_of(1): a_trigger("Deadly")})
        await eventually(lambda: bool(fires.news))

    assert fires.news == {token_of(1): News(failure=f"the process of its trigger died {MOST_DEATHS} times in a row")}
