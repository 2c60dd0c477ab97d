"""What a metastore holds becomes evidence, on every database."""

from pathlib import Path

from flowd.logs.paths import log_path
from tests.support.checker.check import check
from tests.support.checker.evidence import TaskKey
from tests.support.checker.metastore_evidence import evidence_of
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


async def test_a_run_that_went_well_shows_no_violation(site: LedgerSite, metastore_url: str, tmp_path: Path) -> None:
    run = await site.begin(a_dag(a_task("extract"), a_task("load", after=["extract"])), idempotency_key="k1")
    (journal, requests), logs = (tmp_path / "journal", tmp_path / "requests"), tmp_path / "logs"
    claimed = (await site.claim())["extract"]
    names = f"etl {run.run_id} extract -1 1 {claimed.token} 7"
    line = f"begin 1 {names}\nend 2 {names}\n"
    journal.write_text(line)
    requests.write_text(f"ok 1 k1 etl {run.run_id}\n")
    log = log_path(logs, "etl", run.run_id, "extract", -1, 1)
    log.parent.mkdir(parents=True)
    log.write_text(line)
    await site.succeed(claimed)
    await site.work()

    evidence = await evidence_of(metastore_url, journal=journal, requests=requests, logs=logs)

    assert check(evidence) == []
    (one,) = evidence.runs
    assert (one.state, one.idempotency_key, one.dag.tasks["load"].upstream) == ("success", "k1", ["extract"])
    extract = next(found for found in evidence.instances if found.task == TaskKey("etl", run.run_id, "extract"))
    assert [change.cause for change in extract.history] == ["scheduled", "queued", "claimed", "succeeded"]
    assert [attempt.token for attempt in extract.attempts] == [claimed.token]
    assert evidence.pools == {"default_pool": 128}
    assert evidence.logs == {(extract.task, 1): line}


async def test_journals_that_nobody_has_written_are_empty(site: LedgerSite, metastore_url: str, tmp_path: Path) -> None:
    evidence = await evidence_of(metastore_url, journal=tmp_path / "none", requests=tmp_path / "none", is_time_up=False)

    assert (evidence.journal, evidence.requests, evidence.is_time_up) == ([], [], False)
