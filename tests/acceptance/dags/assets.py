"""A DAG that writes an asset, and one that runs when it was written and says how."""

from datetime import datetime

from airflow.sdk import DAG, Asset, Metadata, task

orders = Asset("orders", uri="s3://shop/orders")

with DAG("orders_in", start_date=datetime(2026, 1, 1), schedule=None):

    @task(outlets=[orders])
    def load():
        yield Metadata(orders, {"rows": 3})

    load()

with DAG("orders_out", start_date=datetime(2026, 1, 1), schedule=[orders]):

    @task(inlets=[orders])
    def report(triggering_asset_events=None, inlet_events=None):
        (event,) = triggering_asset_events[orders]
        return [event.source_dag_id, event.extra["rows"], inlet_events[orders][-1].extra["rows"]]

    report()
