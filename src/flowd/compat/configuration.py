"""`airflow.configuration.conf`: Airflow's options, of which flowd answers few; DAG files most often give a fallback."""

import json
import os
from typing import Any

from flowd.sdk.exceptions import AirflowConfigException
from flowd.sdk.provider_packages import import_dotted

_UNSET: Any = object()

_ANSWERS = {
    ("core", "default_timezone"): "utc",
    ("core", "executor"): "flowd",
    ("core", "load_examples"): "False",
    ("core", "unit_test_mode"): "False",
    # DAG files build executor_config of these, which is accepted and has no effect.
    **{
        (section, key): value
        for section in ("kubernetes", "kubernetes_executor")
        for key, value in (
            ("namespace", "default"),
            ("worker_container_repository", ""),
            ("worker_container_tag", ""),
        )
    },
}
"""What is the same on every flowd."""

_YES, _NO = {"t", "true", "1", "yes", "on"}, {"f", "false", "0", "no", "off"}


class Configuration:
    """`AIRFLOW__SECTION__KEY` in the environment, then what flowd itself knows, then the fallback."""

    def get(self, section: str, key: str, fallback: Any = _UNSET, **_: Any) -> Any:
        """Return the option's text; raise AirflowConfigException where it has none and there is no fallback."""
        section, key = section.lower(), key.lower()
        value = os.environ.get(_variable(section, key), _ANSWERS.get((section, key)))
        if value is not None:
            return value
        if fallback is _UNSET:
            raise AirflowConfigException(
                f"flowd has no option {key!r} of Airflow's section [{section}]: set {_variable(section, key)}, or give "
                "conf.get a fallback"
            )
        return fallback

    def getboolean(self, section: str, key: str, fallback: Any = _UNSET, **_: Any) -> bool:
        """Return the option as True or False."""
        value = self.get(section, key, fallback)
        word = str(value).strip().lower()
        if word not in _YES | _NO:
            raise AirflowConfigException(f"option {key!r} of [{section}] is {value!r}, wanted true or false")
        return word in _YES

    def getint(self, section: str, key: str, fallback: Any = _UNSET, **_: Any) -> int:
        """Return the option as a whole number."""
        return int(self.get(section, key, fallback))

    def getfloat(self, section: str, key: str, fallback: Any = _UNSET, **_: Any) -> float:
        """Return the option as a number."""
        return float(self.get(section, key, fallback))

    def getjson(self, section: str, key: str, fallback: Any = _UNSET, **_: Any) -> Any:
        """Return the option read as JSON; a fallback is returned as it is."""
        value = self.get(section, key, fallback)
        return json.loads(value) if isinstance(value, str) else value

    def getlist(self, section: str, key: str, fallback: Any = _UNSET, delimiter: str = ",", **_: Any) -> Any:
        """Return the option's parts; a fallback is returned as it is."""
        value = self.get(section, key, fallback)
        return [part.strip() for part in value.split(delimiter)] if isinstance(value, str) else value

    def getsection(self, section: str) -> dict[str, str] | None:
        """Return what the environment has of a section, None where it has nothing."""
        beginning = _variable(section, "")
        found = {
            name[len(beginning) :].lower(): value for name, value in os.environ.items() if name.startswith(beginning)
        }
        return found or None

    def getimport(self, section: str, key: str, fallback: Any = None, **_: Any) -> Any:
        """Return what the option, a dotted name, leads to; the fallback where it is not set."""
        name = self.get(section, key, "")
        return import_dotted(name) if name else fallback

    def get_mandatory_value(self, section: str, key: str, **_: Any) -> str:
        """Return the option's text; raise AirflowConfigException where it has none."""
        return str(self.get(section, key))

    def has_option(self, section: str, key: str, **_: Any) -> bool:
        """Return True where `get` would need no fallback."""
        return self.get(section, key, None) is not None


conf = Configuration()


def _variable(section: str, key: str) -> str:
    return f"AIRFLOW__{section.upper()}__{key.upper()}".replace(".", "_")
