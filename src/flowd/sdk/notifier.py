"""BaseNotifier: a callback with template fields, called when something has happened."""

import logging
from collections.abc import Mapping
from typing import Any

from flowd.sdk.templated import Templated


class BaseNotifier(Templated):
    """A callback as an object: subclasses keep their texts in attributes, name these in `template_fields`, and define
    `notify`. Given as any `on_…_callback`, it is rendered in the context of the task or run, and then called.
    """

    def __init__(self, context: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        self.context = context or {}

    def notify(self, context: Any) -> None:
        """Tell whoever is to be told; the fields are rendered."""
        raise NotImplementedError(f"{type(self).__name__} must define notify(self, context)")

    def __call__(self, context: Any, *_of_sla: Any) -> None:
        """Render and notify."""
        self.context = context
        self.render_template_fields(context)
        self.notify(context)

    @property
    def log(self) -> logging.Logger:
        """The notifier's logger; what it says is in the task's log."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__qualname__}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
