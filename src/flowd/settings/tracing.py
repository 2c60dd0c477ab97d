"""TracingSettings: the collector that runs and tries are told to."""

from pydantic import SecretStr, field_validator

from flowd.settings.section import Section
from flowd.settings.types import HttpUrl, OptionalSecret, setting


class TracingSettings(Section):
    """Traces of runs and tries, for an OpenTelemetry collector; without an endpoint there are none."""

    endpoint: HttpUrl = setting("", "The collector, where it takes OTLP over HTTP: http://HOST:4318; empty is none.")
    headers: OptionalSecret = setting(
        "", "What is sent along to the collector: NAME=VALUE, several by commas.", secret=True
    )
    service: str = setting(
        "flowd",
        "The service.name of all spans; of two installations with one collector each has its own.",
        min_length=1,
    )
    sample: float = setting("1", "The share of runs that are traced, 0 to 1: each whole, or not at all.", ge=0, le=1)

    @field_validator("headers")
    @classmethod
    def _are_fields(cls, headers: SecretStr | None) -> SecretStr | None:
        if not all(name and value for name, value in _fields(headers)):
            raise ValueError("headers are NAME=VALUE, several of them with commas between")
        return headers

    @property
    def header_fields(self) -> dict[str, str]:
        """The headers in clear, by their names."""
        return dict(_fields(self.headers))


def _fields(headers: SecretStr | None) -> list[tuple[str, str]]:
    given = headers.get_secret_value().split(",") if headers is not None else []
    return [(name.strip(), value.strip()) for name, _, value in (one.partition("=") for one in given)]
