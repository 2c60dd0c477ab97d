"""From a trigger to what is stored of it."""

import sys
from typing import Any

from flowd.domain.deferral import TriggerSpec
from flowd.sdk.xcom_json import to_json


def stored_trigger(trigger: Any, *, path: str, file: str) -> TriggerSpec:
    """Return the spec of a trigger that the DAG file at `path` made; `file` is the same within the DAG folder.

    Raises TypeError for an argument that no XCom can hold, and whatever its `serialize` raises.
    """
    classpath, kwargs = trigger.serialize()
    source = getattr(sys.modules.get(type(trigger).__module__), "__file__", None) or ""
    return TriggerSpec(
        classpath=classpath,
        kwargs={name: to_json(value) for name, value in kwargs.items()},
        file=file,
        is_in_bundle=source.startswith(path.removesuffix(file)),
    )
