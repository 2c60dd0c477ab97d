"""The documents between node and keeper: Launch and Ended as JSON values.

Node to keeper: `start {id, launch}`, `kill {id, reason, immediately}`, `fence {deadlines}`, `reply {id, frame}`.
Keeper to node: `ready {pid}`, `started {id, pid}`, `request {id, frame}`, `ended {id, ended}`, `warning {text}`.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from flowd.child.launch import Call, Ended, EndedBy, Launch, Limits, Script

_ENDED_FIELDS = [field.name for field in fields(Ended)]


def launch_to_json(launch: Launch) -> dict[str, Any]:
    """Return the launch as JSON values."""
    program = launch.program
    return {
        "program": {"script": program.script}
        if isinstance(program, Script)
        else {"entry": program.entry, "payload": program.payload, "warm": program.warm, "fresh": program.fresh},
        "env": dict(launch.env),
        "log": launch.log,
        "cwd": launch.cwd,
        "timeout_seconds": launch.timeout_seconds,
        "fence_at_ns": launch.fence_at_ns,
        "grace_seconds": launch.grace_seconds,
        "log_limit_bytes": launch.log_limit_bytes,
        "limits": limits_to_json(launch.limits),
        "mark": launch.mark,
    }


def launch_from_json(document: Mapping[str, Any]) -> Launch:
    """Return the launch that launch_to_json wrote."""
    values = dict(document)
    program = values.pop("program")
    limits = values.pop("limits")
    return Launch(program=_program(program), limits=Limits(**limits), **values)


def limits_to_json(limits: Limits) -> dict[str, int | None]:
    """Return the limits as JSON values."""
    return {
        "address_space_bytes": limits.address_space_bytes,
        "cpu_seconds": limits.cpu_seconds,
        "open_files": limits.open_files,
    }


def ended_to_json(ended: Ended) -> dict[str, Any]:
    """Return the end as JSON values."""
    return {name: getattr(ended, name) for name in _ENDED_FIELDS}


def ended_from_json(document: Mapping[str, Any]) -> Ended:
    """Return the end that ended_to_json wrote."""
    values = dict(document)
    return Ended(by=EndedBy(values.pop("by")), **values)


def _program(document: Mapping[str, Any]) -> Script | Call:
    if "script" in document:
        return Script(script=document["script"])
    warm = document["warm"]
    return Call(
        entry=document["entry"],
        payload=document["payload"],
        warm=None if warm is None else (warm[0], warm[1]),
        fresh=document["fresh"],
    )
