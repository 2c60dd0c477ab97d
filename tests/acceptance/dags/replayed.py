"""DAGs whose schedules are over: one by cron, one by a timetable of its own; only a backfill runs them."""

from datetime import datetime, timedelta

from airflow.sdk import DAG, task
from airflow.timetables.base import DagRunInfo, Timetable

OVER = {"start_date": datetime(2024, 1, 1), "end_date": datetime(2024, 1, 31), "catchup": False}


class EveryOther(Timetable):
    """A run each second day."""

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        last = last_automated_data_interval
        start = restriction.earliest if last is None else last.start + timedelta(days=2)
        if start > restriction.latest or not restriction.catchup:
            return None
        return DagRunInfo.interval(start, start + timedelta(days=1))


for dag_id, schedule in {"replayed": "0 6 * * *", "replayed_own": EveryOther()}.items():
    with DAG(dag_id, schedule=schedule, **OVER):

        @task
        def tell(dag_run=None, params=None, ds=None):
            return [ds, dag_run.run_type, dag_run.conf]

        tell()
