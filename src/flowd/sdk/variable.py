"""Variable: named text shared by DAGs, kept by the server."""

import json
import os
from typing import Any

from flowd.sdk.exceptions import VariableNotFound
from flowd.sdk.secret_values import note_secret, note_variable
from flowd.sdk.supervisor import ask, has_backends

_UNSET: Any = object()


class Variable:
    """Read and write variables.

    A secret backend comes first, then `AIRFLOW_VAR_<KEY>` in the environment, then what the server keeps.
    """

    @classmethod
    def get(cls, key: str, default_var: Any = _UNSET, deserialize_json: bool = False, *, default: Any = _UNSET) -> Any:
        """Return the value, read as JSON on request; without it the default, or raise VariableNotFound."""
        value = os.environ.get(f"AIRFLOW_VAR_{key.upper()}")
        if value is None or has_backends():
            answer = ask("variable_get", key=key, is_in_environment=value is not None)
            if answer["found"]:
                found = value = str(answer["value"])
                if answer.get("is_secret"):
                    note_secret(found)
        note_variable(key, value)
        if value is not None:
            return json.loads(value) if deserialize_json else value
        fallback = default if default_var is _UNSET else default_var
        if fallback is _UNSET:
            raise VariableNotFound(
                f"Variable {key!r} does not exist: create it on the Variables page or give Variable.get a default"
            )
        return fallback

    @classmethod
    def set(cls, key: str, value: Any, description: str | None = None, serialize_json: bool = False) -> None:
        """Write the value, as JSON on request and as text otherwise."""
        text = json.dumps(value, indent=2) if serialize_json else str(value)
        ask("variable_set", key=key, value=text, description=description)

    @classmethod
    def setdefault(cls, key: str, default: Any, description: str | None = None, deserialize_json: bool = False) -> Any:
        """Return the value; where there is none, write and return the default."""
        found = cls.get(key, None, deserialize_json=deserialize_json)
        if found is not None:
            return found
        cls.set(key, default, description, serialize_json=deserialize_json)
        return default

    @classmethod
    def delete(cls, key: str) -> int:
        """Remove the variable; return how many were removed."""
        return int(ask("variable_delete", key=key)["found"])
