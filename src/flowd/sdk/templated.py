"""Templated: what operators and notifiers have in common: fields that are rendered before they are used."""

from collections.abc import Collection, Mapping, MutableSet, Sequence
from typing import TYPE_CHECKING, Any

import jinja2

from flowd.sdk.exceptions import AirflowException
from flowd.sdk.templates import Renderer, environment_of

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG


class Templated:
    """The attributes named in `template_fields` are rendered in place; text in them that ends with one of
    `template_ext` names a file to render.

    Authors may override `prepare_template`, and the two methods whose names begin with an underscore.
    """

    template_fields: Collection[str] = ()
    template_ext: Sequence[str] = ()
    fields_as_they_are: Collection[str] = ()
    """Template fields that are not rendered: what another task returned may look like a template, and is none."""

    def prepare_template(self) -> None:
        """Change the fields before they are rendered; those that named a file hold its text."""

    def render_template_fields(self, context: Mapping[str, Any], jinja_env: jinja2.Environment | None = None) -> None:
        """Render every template field in place; raise AirflowException that names the field where one cannot be."""
        if type(self).prepare_template is not Templated.prepare_template:
            reader = self._renderer(context)
            for field in self.template_fields:
                setattr(self, field, reader.read(getattr(self, field)))
            self.prepare_template()
        fields = [field for field in self.template_fields if field not in self.fields_as_they_are]
        self._do_render_template_fields(self, fields, context, jinja_env, set())

    def render_template(
        self,
        content: Any,
        context: Mapping[str, Any],
        jinja_env: jinja2.Environment | None = None,
        seen_oids: MutableSet[int] | None = None,
    ) -> Any:
        """Return `content` rendered."""
        return self._renderer(context).render(content)

    def get_template_env(self, dag: "DAG | None" = None) -> jinja2.Environment:
        """Return the environment in which the fields are rendered: the DAG's."""
        dag = dag or getattr(self, "dag", None)
        if dag is None:
            return jinja2.Environment(undefined=jinja2.StrictUndefined)
        return environment_of(dag, is_native=getattr(self, "render_template_as_native_obj", None))

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Collection[str],
        context: Mapping[str, Any],
        jinja_env: jinja2.Environment | None,
        seen_oids: MutableSet[int],
    ) -> None:
        """Render these attributes of `parent` in place."""
        renderer = self._renderer(context, seen_oids)
        for field in template_fields:
            try:
                setattr(parent, field, renderer.render(getattr(parent, field)))
            except (jinja2.TemplateError, LookupError) as error:
                raise AirflowException(
                    f"{self._called}, field {field!r}: {type(error).__name__}: {_said(error, context['dag'])}"
                ) from error

    def _render_nested_template_fields(
        self, content: Any, context: Mapping[str, Any], jinja_env: jinja2.Environment | None, seen_oids: MutableSet[int]
    ) -> None:
        """Render in place what `content`, an object in a field, has of template fields."""
        if id(content) not in seen_oids:
            seen_oids.add(id(content))
            self._renderer(context).render_attributes(content)

    def _renderer(self, context: Mapping[str, Any], seen: MutableSet[int] | None = None) -> Renderer:
        nested = None
        if type(self)._render_nested_template_fields is not Templated._render_nested_template_fields:
            met: MutableSet[int] = set() if seen is None else seen

            def nested(value: Any) -> None:
                self._render_nested_template_fields(value, context, None, met)

        native = getattr(self, "render_template_as_native_obj", None)
        return Renderer(context["dag"], context, tuple(self.template_ext), is_native=native, nested=nested)

    @property
    def _called(self) -> str:
        return type(self).__name__


def _said(error: Exception, dag: "DAG") -> str:
    if isinstance(error, jinja2.TemplateNotFound):
        searched = ", ".join([dag.folder, *dag.template_searchpath])
        return f"no file {error.name!r} in {searched}; to use the text itself, end it with a space"
    return str(error)
