"""50 DAGs, each a chain of 10 bash tasks that do nothing."""

from datetime import datetime

from flowd import DAG, BashOperator

for number in range(50):
    with DAG(f"bench_many_{number:02}", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):
        before = None
        for index in range(10):
            step = BashOperator(task_id=f"true_{index}", bash_command="true")
            if before is not None:
                before >> step
            before = step
