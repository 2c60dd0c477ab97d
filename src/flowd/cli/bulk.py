"""bulk: one kind of change for many things, sent some at a time; what failed is told, each with its reason."""

from collections.abc import Mapping, Sequence
from typing import Any

from flowd.cli.client.current import api
from flowd.cli.progress import progress
from flowd.domain.errors import FlowdError

BATCH = 100


class SomeFailed(FlowdError):
    """Of many changes some were refused; the others were made."""

    def __init__(self, done: int, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("\n  - ".join([f"{done} done, and this was refused:", *(str(one["error"]) for one in errors)]))


def bulk(
    operation: str, action: str, entities: Sequence[Any], what: str, *, overwrite: bool = False, **names: Any
) -> int:
    """Make, change or delete the entities; return how many were, or raise SomeFailed with what was refused."""
    done, errors = 0, []
    for start in progress(range(0, len(entities), BATCH), what):
        wanted: dict[str, Any] = {"action": action, "entities": list(entities[start : start + BATCH])}
        if overwrite:
            wanted["action_on_existence"] = "overwrite"
        answer = api().call(operation, body={"actions": [wanted]}, **names)[action]
        done += len(answer["success"])
        errors += answer["errors"]
    if errors:
        raise SomeFailed(done, errors)
    return done
