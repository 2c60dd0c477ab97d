"""Rendering template fields with Jinja: in text, in nested containers, in files, as text or as native objects."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2.ext import ExprStmtExtension
from jinja2.nativetypes import NativeEnvironment

from flowd.sdk.object_location import ObjectLocation
from flowd.sdk.resolvable import LiteralValue, Resolvable

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG

_FILTERS = {
    "ds": lambda value: value.strftime("%Y-%m-%d"),
    "ds_nodash": lambda value: value.strftime("%Y%m%d"),
    "ts": lambda value: value.isoformat(),
    "ts_nodash": lambda value: value.strftime("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda value: value.isoformat().replace("-", "").replace(":", ""),
}


OLD_NAMES = {
    "conf": "airflow.configuration.conf in the code of the task",
    "execution_date": "logical_date",
    "next_ds": "data_interval_end | ds",
    "next_ds_nodash": "data_interval_end | ds_nodash",
    "next_execution_date": "data_interval_end",
    "prev_ds": "prev_data_interval_start_success | ds",
    "prev_ds_nodash": "prev_data_interval_start_success | ds_nodash",
    "prev_execution_date": "prev_data_interval_start_success",
    "prev_execution_date_success": "prev_data_interval_start_success",
    "tomorrow_ds": "macros.ds_add(ds, 1)",
    "tomorrow_ds_nodash": "macros.ds_add(ds, 1)",
    "triggering_dataset_events": "triggering_asset_events",
    "yesterday_ds": "macros.ds_add(ds, -1)",
    "yesterday_ds_nodash": "macros.ds_add(ds, -1)",
}
"""Names in templates that Airflow 3 has no more, and what to write in their place."""

log = logging.getLogger(__name__)

_told: set[str] = set()


def _tell_of(name: str) -> None:
    """Say once in a process, so once in a task's log, that a template uses an old name."""
    if name not in _told:
        _told.add(name)
        log.warning("a template uses %s, which Airflow 3 has no more; write %s", name, OLD_NAMES[name])


def literal(value: Any) -> LiteralValue:
    """Return `value` marked as no template."""
    return LiteralValue(value)


def environment_of(dag: "DAG", *, is_native: bool | None = None) -> jinja2.Environment:
    """Return the Jinja environment of the DAG's templates: its folder, search path, filters and options.

    `is_native` says whether they give Python's objects where the DAG's own word is not to count.
    """
    options: dict[str, Any] = {
        "loader": jinja2.FileSystemLoader([dag.folder, *dag.template_searchpath]),
        "undefined": dag.template_undefined or jinja2.StrictUndefined,
        "extensions": [ExprStmtExtension],
        "cache_size": 0,
        **dag.jinja_environment_kwargs,
    }
    is_native = dag.render_template_as_native_obj if is_native is None else is_native
    environment = NativeEnvironment(**options) if is_native else jinja2.Environment(**options)
    environment.filters.update(_FILTERS)
    environment.filters.update(dag.user_defined_filters)
    return environment


class Renderer:
    """Renders values as templates of `dag` in one context; text that ends with one of `extensions` names a file.

    Objects with template fields are rendered in place, or given to `nested` where the author renders them otherwise.
    """

    def __init__(
        self,
        dag: "DAG",
        context: Mapping[str, Any],
        extensions: tuple[str, ...] = (),
        *,
        is_native: bool | None = None,
        nested: Callable[[Any], None] | None = None,
    ) -> None:
        self._dag = dag
        self._is_native = dag.render_template_as_native_obj if is_native is None else is_native
        self._context = context
        self._extensions = extensions
        self._nested = nested or self.render_attributes

    def render(self, value: Any) -> Any:
        """Return `value` rendered: text, containers and their items, stand-ins, objects with template fields."""
        if isinstance(value, str):
            return self._render_text(value)
        if isinstance(value, Resolvable):
            return value.resolve(self._context)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self.render(item) for item in value))
        if type(value) in (list, tuple, set):
            return type(value)(self.render(item) for item in value)
        if isinstance(value, dict):
            return {key: self.render(item) for key, item in value.items()}
        if isinstance(value, ObjectLocation):
            return type(value)(self.render(str(value)), **value.storage_options)
        self._nested(value)
        return value

    def read(self, value: Any) -> Any:
        """Return the text of the template file that `value` names, or `value` where it names none."""
        if not isinstance(value, str) or not self._extensions or not value.endswith(self._extensions):
            return value
        loader = self._environment.loader
        assert loader is not None
        return loader.get_source(self._environment, value)[0]

    def render_attributes(self, value: Any) -> None:
        """Render the template fields of `value` in place, where it has any."""
        fields: Iterable[str] | None = getattr(value, "template_fields", None)
        if isinstance(fields, Sequence) and not isinstance(value, type):
            for field in fields:
                setattr(value, field, self.render(getattr(value, field)))

    def _render_text(self, text: str) -> Any:
        if self._extensions and text.endswith(self._extensions):
            return self._run(self._environment.get_template(text))
        if self._is_as_it_stands(text):
            return text
        return self._run(self._environment.from_string(text))

    def _is_as_it_stands(self, text: str) -> bool:
        # Jinja itself changes nothing in such text, and most fields of most tasks hold no template.
        dag = self._dag
        has_own_rules = self._is_native or dag.jinja_environment_kwargs
        return not has_own_rules and "{" not in text and "\r" not in text and not text.endswith("\n")

    @cached_property
    def _environment(self) -> jinja2.Environment:
        return environment_of(self._dag, is_native=self._is_native)

    def _run(self, template: jinja2.Template) -> Any:
        environment = self._environment
        names = _Names(self._context, template.globals)
        scope = environment.context_class(environment, names, template.name, template.blocks)  # type: ignore[arg-type]
        return environment.concat(template.root_render_func(scope))


class _Names(Mapping[str, Any]):
    """The context before Jinja's globals, read name by name: `template.render` would read every value at once."""

    def __init__(self, context: Mapping[str, Any], fallback: Mapping[str, Any]) -> None:
        self._context, self._fallback = context, fallback

    def __getitem__(self, name: str) -> Any:
        if name in OLD_NAMES and name in self._context:
            _tell_of(name)
        return self._context[name] if name in self._context else self._fallback[name]

    def __contains__(self, name: object) -> bool:
        return name in self._context or name in self._fallback

    def __iter__(self) -> Any:
        return iter({**dict.fromkeys(self._fallback), **dict.fromkeys(self._context)})

    def __len__(self) -> int:
        return len(set(self._context) | set(self._fallback))
