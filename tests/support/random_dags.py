"""DAGs drawn from a seeded generator, with every rule, limit and pool that stands in each other's way."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from flowd.domain.dag_spec import DagSpec
from flowd.domain.ids import TaskId
from flowd.domain.map_length import CrossedLength, Expansion, LiteralLength, MapLength, ResultLength
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_spec import TaskSpec
from flowd.domain.trigger_rules import TriggerRule
from flowd.domain.work import NoWork
from tests.support.specs import a_dag, a_task

POOLS = {"default_pool": 9, "small": 2}
"""The pools that these DAGs ask for, and their slots."""

RULES = [TriggerRule.ALL_SUCCESS, TriggerRule.ALL_DONE, TriggerRule.NONE_FAILED, TriggerRule.ONE_SUCCESS]

MAPPED = 0.25
"""The share of the tasks that are mapped; as often a mapped group stands below them."""


def a_random_dag(chance: Random, number: int, *, mapped: float = MAPPED) -> DagSpec:
    """Return the DAG `dag<number>` of two to nine tasks, of which so many are mapped, and maybe a mapped group."""
    tasks: list[TaskSpec] = []
    for n in range(chance.randint(2, 9)):
        above = chance.sample([one.task_id for one in tasks], k=min(len(tasks), chance.randint(0, 3)))
        task = _a_task(chance, f"t{n}", above)
        task = replace(task, work=NoWork()) if chance.random() < 0.15 else task
        if mapped and chance.random() < mapped:
            task = replace(task, expansion=Expansion(length=_a_length(chance, above)))
        tasks.append(task)
    if mapped and chance.random() < 2 * mapped:
        tasks += _a_mapped_group(chance, tasks)
    return a_dag(
        *tasks, dag_id=f"dag{number}", max_active_tasks=chance.choice([2, 3, 16]), max_active_runs=chance.randint(2, 4)
    )


def _a_task(chance: Random, name: str, above: Sequence[TaskId]) -> TaskSpec:
    return a_task(
        name,
        after=above,
        trigger_rule=chance.choice(RULES),
        retry=RetryPolicy(retries=chance.randint(0, 2), delay=timedelta(0)),
        pool=chance.choice(list(POOLS)),
        pool_slots=chance.choice([1, 1, 2]),
        priority=chance.randint(1, 3),
        max_active_tis_per_dag=chance.choice([None, None, 2]),
    )


def _a_length(chance: Random, above: Sequence[TaskId]) -> MapLength:
    literal = LiteralLength(chance.choice([0, 1, 2, 3]))
    if not above or chance.random() < 0.3:
        return literal
    result = ResultLength(chance.choice(above))
    return CrossedLength((result, LiteralLength(2))) if chance.random() < 0.3 else result


def _a_mapped_group(chance: Random, tasks: Sequence[TaskSpec]) -> list[TaskSpec]:
    """Return the tasks of a group, which wait for one another and maybe for tasks beside it, and one behind them."""
    names = [one.task_id for one in tasks]
    source = chance.choice(names)
    expansion = Expansion(length=_a_length(chance, [source]), group="g")
    found: list[TaskSpec] = []
    for n in range(chance.randint(1, 3)):
        beside = chance.sample([one.task_id for one in found], k=min(len(found), chance.randint(0, 2)))
        # As an author's own: what waits for no other task of the group waits for what returns the items.
        above = {*beside, *(() if beside else (source,)), *chance.sample(names, k=chance.choice([0, 0, 1]))}
        found.append(replace(_a_task(chance, f"g.t{n}", sorted(above)), expansion=expansion))
    return [*found, _a_task(chance, "behind", [found[-1].task_id])]
