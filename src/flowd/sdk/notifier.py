"""BaseNotifier: a callback with template fields, called when something has happened."""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from flowd.sdk.exceptions import AirflowException
from flowd.sdk.templates import Renderer


class BaseNotifier:
    """A callback as an object: subclasses keep their texts in attributes, name these in `template_fields`, and define
    `notify`. Given as any `on_…_callback`, it is rendered in the context of the task or run, and then called.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()

    def __init__(self, context: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        self.context = context or {}

    def notify(self, context: Any) -> None:
        """Tell whoever is to be told; the fields are rendered."""
        raise NotImplementedError(f"{type(self).__name__} must define notify(self, context)")

    def render_template_fields(self, context: Any) -> None:
        """Render the fields in `context`; raise AirflowException that names the field where one cannot be rendered."""
        renderer = Renderer(context["dag"], context, tuple(self.template_ext))
        for field in self.template_fields:
            try:
                setattr(self, field, renderer.render(getattr(self, field)))
            except (jinja2.TemplateError, LookupError) as error:
                raise AirflowException(f"{type(self).__name__}, field {field!r}: {error}") from error

    def __call__(self, context: Any, *_of_sla: Any) -> None:
        """Render and notify."""
        self.context = context
        self.render_template_fields(context)
        self.notify(context)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
