"""Names of things, as distinct types so that one is never passed for another."""

from typing import NewType

DagId = NewType("DagId", str)
TaskId = NewType("TaskId", str)
RunId = NewType("RunId", str)
"""The `run_id` a user sees, unique within its DAG."""

RunKey = NewType("RunKey", int)
"""The metastore's key of a DagRun."""

BackfillKey = NewType("BackfillKey", int)
"""The metastore's key of a backfill."""

InstanceKey = NewType("InstanceKey", int)
"""The metastore's key of a task instance."""

ClaimToken = NewType("ClaimToken", str)
"""128 random bits in hex, made by the worker at claim: the right to write as one try of one task instance."""

BundleHash = NewType("BundleHash", str)
"""sha256, in hex, of a bundle's manifest."""

UNMAPPED = -1
"""The map index of a task that is not mapped."""
