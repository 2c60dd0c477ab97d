"""Param: a parameter of a DAG or task: its default, what it means, and the JSON schema a form and the API check."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from flowd.sdk.exceptions import ParamValidationError

_UNSET: Any = object()


class Param:
    """A parameter; further keywords are JSON schema, such as `type="integer", minimum=1`."""

    def __init__(self, default: Any = _UNSET, description: str | None = None, **schema: Any) -> None:
        # `schema=` is how Airflow's own copies of a Param pass the whole of it.
        self.schema: dict[str, Any] = schema.pop("schema", None) or schema
        self.description = description
        self._value = default

    @property
    def has_value(self) -> bool:
        """True where there is a default, which may be None."""
        return self._value is not _UNSET

    @property
    def value(self) -> Any:
        """The default; None where there is none."""
        return self._value if self.has_value else None

    def resolve(self, value: Any = _UNSET) -> Any:
        """Return `value`, or the default without one; raise ParamValidationError where there is neither."""
        chosen = self._value if value is _UNSET else value
        if chosen is _UNSET:
            raise ParamValidationError("the parameter has no value: give it a default or set it when triggering")
        return chosen

    def dump(self) -> dict[str, Any]:
        """Return value, description and schema, as the API shows them."""
        return {"value": self.value, "description": self.description, "schema": dict(self.schema)}

    def __repr__(self) -> str:
        return f"Param({self.value!r}, {self.schema})"


class ParamsDict(MutableMapping[str, Any]):
    """Parameters by name: reading gives the value, setting a plain value keeps what is known of the parameter."""

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self._params: dict[str, Param] = {}
        for name, value in (params.params() if isinstance(params, ParamsDict) else params or {}).items():
            self[name] = value

    def params(self) -> dict[str, Param]:
        """Return the Param behind each name."""
        return dict(self._params)

    def get_param(self, name: str) -> Param:
        """Return the Param behind `name`."""
        return self._params[name]

    def dump(self) -> dict[str, Any]:
        """Return the values by name."""
        return dict(self)

    def __getitem__(self, name: str) -> Any:
        return self._params[name].value

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, Param):
            self._params[name] = value
        elif name in self._params:
            known = self._params[name]
            self._params[name] = Param(value, known.description, **known.schema)
        else:
            self._params[name] = Param(value)

    def __delitem__(self, name: str) -> None:
        del self._params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __repr__(self) -> str:
        return repr(dict(self))
