"""DAGs drawn from a seeded generator, with every rule, limit and pool that stands in each other's way."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from flowd.domain.dag_spec import DagSpec
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_spec import TaskSpec
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import NoWork
from tests.support.specs import a_dag, a_task

POOLS = {"default_pool": 9, "small": 2}
"""The pools that these DAGs ask for, and their slots."""

RULES = [TriggerRule.ALL_SUCCESS, TriggerRule.ALL_DONE, TriggerRule.NONE_FAILED, TriggerRule.ONE_SUCCESS]


def a_random_dag(chance: Random, number: int) -> DagSpec:
    """Return the DAG `dag<number>` of two to nine tasks."""
    tasks: list[TaskSpec] = []
    for n in range(chance.randint(2, 9)):
        above = chance.sample([one.task_id for one in tasks], k=min(len(tasks), chance.randint(0, 3)))
        task = a_task(
            f"t{n}",
            after=above,
            trigger_rule=chance.choice(RULES),
            retry=RetryPolicy(retries=chance.randint(0, 2), delay=timedelta(0)),
            pool=chance.choice(list(POOLS)),
            pool_slots=chance.choice([1, 1, 2]),
            priority=chance.randint(1, 3),
            max_active_tis_per_dag=chance.choice([None, None, 2]),
        )
        tasks.append(replace(task, work=NoWork()) if chance.random() < 0.15 else task)
    return a_dag(
        *tasks, dag_id=f"dag{number}", max_active_tasks=chance.choice([2, 3, 16]), max_active_runs=chance.randint(2, 4)
    )
