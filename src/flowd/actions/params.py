"""check_params: what somebody triggers a DAG with, held against the JSON schemas of its parameters."""

import json
from collections.abc import Mapping
from typing import Any

from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import InvalidInput

MOST_CONF_BYTES = 1024 * 1024


def check_conf(conf: Mapping[str, Any] | None) -> None:
    """Raise InvalidInput where this is no JSON object, or one that is too long to be kept with a run."""
    try:
        size = len(json.dumps(dict(conf or {}), allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"conf is not a JSON object: {error}") from error
    if size > MOST_CONF_BYTES:
        raise InvalidInput(f"conf has {size} bytes of JSON; wanted at most {MOST_CONF_BYTES}")


def check_params(dag: DagSpec, conf: Mapping[str, Any]) -> None:
    """Return where every parameter has, from `conf` or by default, a value that its schema allows.

    Raises InvalidInput that names each parameter at fault. Names that the DAG does not declare are let pass, as in
    Airflow; so is a parameter without a schema.
    """
    problems = problems_with(dag.params, conf)
    if problems:
        raise InvalidInput(f"DAG {dag.dag_id!r} cannot run with these parameters: {'; '.join(problems)}")


def problems_with(params: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> list[str]:
    """Return in words what is wrong with the value of each parameter at fault."""
    return [problem for name, param in sorted(params.items()) if (problem := _problem(name, param, given)) is not None]


def _problem(name: str, param: Mapping[str, Any], conf: Mapping[str, Any]) -> str | None:
    if name not in conf and "value" not in param:
        return f"{name} has no default and was not given; add it to conf"
    # Few DAGs have parameters, and it takes 2 MiB.
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import SchemaError, best_match

    value, schema = conf.get(name, param.get("value")), param.get("schema") or {}
    try:
        Draft202012Validator.check_schema(schema)
        error = best_match(Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(value))
    except SchemaError as broken:
        return f"{name} has a schema that is none ({broken.message}); mend its Param(...)"
    if error is None:
        return None
    if value is None:
        return f"{name} has no default and was not given; add it to conf"
    return f"{name}: {error.message}"
