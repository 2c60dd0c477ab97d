"""The Airflow that the page about moving from it leaves."""

from datetime import UTC, datetime, timedelta

from tests.support.airflow_metastore import Version, an_airflow

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


async def make_airflow(url: str) -> None:
    """Make its metastore in the empty database at `url`."""
    async with an_airflow(url, Version.TWO) as airflow:
        await airflow.pool("default_pool", 64)
        await airflow.pool("gpu", 2)
        await airflow.variable("api_token", "hunter2")
        await airflow.connection("warehouse", host="db", login="ada", password="hunter3", port=5432)
        await airflow.dag("invoices", is_paused=False)
        await airflow.dag("reports_of_2019", is_paused=True)
        await airflow.run("invoices", FIRST, {"collect": "success", "send": "success"})
        await airflow.run("invoices", FIRST + DAY, {"collect": "failed", "send": "upstream_failed"}, state="failed")
        await airflow.run("invoices", FIRST + 2 * DAY, {"collect": "success", "send": "success"})
        await airflow.run("invoices", FIRST + 3 * DAY, {"collect": "running", "send": None}, state="running")
