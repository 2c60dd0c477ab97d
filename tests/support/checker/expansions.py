"""I13: a mapped task has an instance for each item, and none beyond them starts."""

from collections.abc import Iterator

from tests.support.checker.evidence import Change, Evidence, Instance
from tests.support.checker.mapped_instances import MappedInstances
from tests.support.checker.starts_after_upstreams import STARTS
from tests.support.checker.violation import Invariant, Violation


def expansions(evidence: Evidence) -> Iterator[Violation]:
    """A mapped task has its one unexpanded instance, or map indexes from 0 on without a gap, of which none is unfit.

    When an instance started its map index was below the number of items, and so many instances there are; one that was
    removed lay beyond them. How many items that were is what the tasks said which returned them, or the DAG says.
    Where nobody said it, or the ledger's moments mean nothing, that is not decided.
    """
    instances = MappedInstances(evidence)
    for run in evidence.runs:
        for name, task in run.dag.tasks.items():
            if task.length is None:
                continue
            own = [
                one
                for one in evidence.instances
                if (one.task.dag_id, one.task.run_id, one.task.task_id) == (run.dag_id, run.run_id, name)
            ]
            indexes = sorted(one.task.map_index for one in own)
            if indexes not in ([], [-1], list(range(len(indexes)))):
                subject = f"{run.dag_id} {run.run_id} {name}"
                yield Violation(Invariant.I13, subject, f"it has the map indexes {indexes}")
            for instance in own:
                for change in instance.history if evidence.is_clock_steady else ():
                    yield from _unfit(instance, change, instances, len(own))


def _unfit(instance: Instance, change: Change, instances: MappedInstances, existing: int) -> Iterator[Violation]:
    key = instance.task
    starts = change.source == "none" and change.cause in STARTS
    if not starts and change.target != "removed":
        return
    finding = ""
    length = instances.length(key, change.at_us)
    if starts and key.map_index < 0:
        finding = "starts it unexpanded"
    elif starts and length is not None and key.map_index >= length:
        finding = f"starts it, and there are {length} items"
    elif starts and length is not None and existing < length:
        finding = f"starts it, and of {length} items {existing} have an instance"
    elif not starts and length is not None and key.map_index < length:
        finding = f"removes it, and there are {length} items"
    if finding:
        yield Violation(Invariant.I13, str(key), f"version {change.version} {finding}")
