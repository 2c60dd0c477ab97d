"""The list of all settings, read off the model: their names, variables, defaults and meanings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import SecretStr

from flowd.settings.model import Settings
from flowd.settings.section import Section
from flowd.settings.types import HIDDEN, SecretUrl

PREFIX = "FLOWD__"


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting: `name` is `section.key`, `default` what its user would write for it."""

    section: str
    key: str
    default: str
    description: str
    is_secret: bool

    @property
    def name(self) -> str:
        """As in `worker.lease`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """As in `FLOWD__WORKER__LEASE`."""
        return f"{PREFIX}{self.section.upper()}__{self.key.upper()}"


@cache
def sections() -> Mapping[str, type[Section]]:
    """Return the sections by name, in the order of the model."""
    annotations = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {name: kind for name, kind in annotations.items() if isinstance(kind, type) and issubclass(kind, Section)}


@cache
def catalogue() -> Mapping[str, SettingInfo]:
    """Return every setting by its name, in the order of the model."""
    return {
        f"{section}.{key}": SettingInfo(
            section=section,
            key=key,
            default=field.default,
            description=field.description or "",
            is_secret=isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra["secret"]),
        )
        for section, kind in sections().items()
        for key, field in kind.model_fields.items()
    }


def shown(settings: Settings, name: str) -> str:
    """Return the value of the setting `name` as text that reads back as it, with secrets and passwords hidden."""
    section, _, key = name.partition(".")
    part: Section = getattr(settings, section)
    return _text(getattr(part, key), part.model_dump(include={key})[key])


def _text(value: Any, dumped: Any) -> str:
    match value:
        case None:
            return str(dumped or "")
        case SecretStr():
            return HIDDEN
        case SecretUrl():
            return str(value)
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(_text(item, item) for item in value)
        case _:
            return str(dumped)
