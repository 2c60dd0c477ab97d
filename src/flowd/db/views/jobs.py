"""Jobs: the roles of the nodes on record, as Airflow's clients know them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flowd.db.nodes import seen_lately
from flowd.db.transaction import Transaction
from flowd.db.views.health import SILENT_AFTER

JOB_TYPES: Mapping[str, tuple[str, ...]] = {
    # A scheduler reads the DAG files too, and a worker runs triggers.
    "scheduler": ("SchedulerJob", "DagProcessorJob"),
    "worker": ("TriggererJob",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One role of one node; `id` is the same for as long as the node lives."""

    id: int
    job_type: str
    host: str
    started_at: datetime
    seen_at: datetime
    is_alive: bool


async def list_jobs(tx: Transaction) -> list[JobView]:
    """Return the jobs of every node on record, in the order of their ids."""
    now = await tx.now()
    jobs = [
        JobView(
            id=_id(node.id, job_type),
            job_type=job_type,
            host=node.host,
            started_at=node.started_at,
            seen_at=node.seen_at,
            is_alive=now - node.seen_at <= SILENT_AFTER,
        )
        for node in await seen_lately(tx)
        for role in node.roles
        for job_type in JOB_TYPES.get(role, ())
        if node.seen_at is not None
    ]
    return sorted(jobs, key=lambda job: job.id)


def _id(node: str, job_type: str) -> int:
    # Clients want a number, and JavaScript's hold 53 bits.
    return int.from_bytes(hashlib.sha256(f"{node} {job_type}".encode()).digest()[:6])
