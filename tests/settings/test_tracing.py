"""Where traces go: what is wrong is said, and what is secret is not."""

from pathlib import Path

import pytest

from flowd.domain.errors import InvalidSettings
from flowd.settings.load import Keys, load_settings
from flowd.settings.model import Settings


def load(folder: Path, **variables: str) -> Settings:
    given = {f"FLOWD__TRACING__{name.upper()}": value for name, value in variables.items()}
    return load_settings({"FLOWD_HOME": str(folder), **given}, keys=Keys.OPTIONAL, folder=folder)


def test_headers_are_read_and_kept_out_of_the_logs(tmp_path: Path) -> None:
    settings = load(tmp_path, endpoint="https://otlp.example:4318/", headers="x-key=open-sesame, tenant = blue")

    assert settings.tracing.endpoint == "https://otlp.example:4318"
    assert settings.tracing.header_fields == {"x-key": "open-sesame", "tenant": "blue"}
    assert {"open-sesame", "blue"} <= set(settings.secret_texts())
    assert "open-sesame" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"endpoint": "collector:4318"}, "it must begin with http:// or https://"),
        ({"headers": "hunter2"}, "headers are NAME=VALUE"),
        ({"headers": "=hunter2"}, "headers are NAME=VALUE"),
        ({"sample": "1.5"}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_without_showing_a_secret(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSettings) as refusal:
        load(tmp_path, **given)

    assert f"FLOWD__TRACING__{next(iter(given)).upper()}" in str(refusal.value)
    assert said in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
