"""Settings from every source: flags, environment, files of secrets, `.env`, TOML, defaults, in this order."""

from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flowd.domain.errors import InvalidSettings
from flowd.settings.catalogue import SettingInfo, catalogue, sections
from flowd.settings.layers import (
    DEFAULT_CONFIG,
    Findings,
    Given,
    expanded,
    read_airflow,
    read_dotenv,
    read_environment,
    read_flags,
    read_toml,
)
from flowd.settings.model import ApiSettings, DatabaseSettings, QueueSettings, Settings
from flowd.settings.secrets_file import make_secrets, read_secrets

DEFAULT_HOME = "~/.flowd"
KEYS = ("security.secret_key", "security.fernet_key")


class Keys(Enum):
    """What to do where a key is not set: make one up (refused in a cluster), only check, or do without."""

    MAKE = auto()
    CHECK = auto()
    OPTIONAL = auto()


def load_settings(
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    *,
    keys: Keys = Keys.MAKE,
    folder: Path | None = None,
) -> Settings:
    """Return the settings that these variables and flags (`section.key -> value`, None for one not given) make.

    `.env` and config/flowd.toml are looked for in `folder`, the current one by default. Raises InvalidSettings with
    every problem at once. With Keys.MAKE, $FLOWD_HOME/secrets.toml is written where it is needed and missing.
    """
    folder = folder or Path.cwd()
    findings = Findings()
    dotenv = read_dotenv(folder / ".env")
    home = _home(environ.get("FLOWD_HOME") or dotenv.get("FLOWD_HOME") or DEFAULT_HOME)
    named_config = environ.get("FLOWD_CONFIG") or dotenv.get("FLOWD_CONFIG")
    config = Path(named_config).expanduser() if named_config else folder / DEFAULT_CONFIG
    given = {
        **{name: Given(info.default, "default", info.variable) for name, info in catalogue().items()},
        **read_toml(config, findings, is_wanted=bool(named_config)),
        **read_airflow(dotenv, findings, ".env"),
        **read_environment(dotenv, findings, ".env"),
        **read_airflow(environ, findings),
        **read_environment(environ, findings),
        **read_flags(flags or {}),
    }
    parts = _parts(given, home, findings)
    if keys is not Keys.OPTIONAL and (missing := [name for name in KEYS if not given[name].value]):
        given |= _keys_of(missing, parts, home, keys, findings)
        parts |= _parts({name: one for name, one in given.items() if name.startswith("security.")}, home, findings)
    if findings.problems:
        raise InvalidSettings(report(findings.problems))
    settings = Settings(home=home, **parts)
    settings._sources = {name: one.source for name, one in given.items()}
    settings._warnings = tuple(findings.warnings)
    return settings


def _home(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _parts(given: Mapping[str, Given], home: Path, findings: Findings) -> dict[str, Any]:
    """The sections that are in order. Each is tried by itself, so that all problems are found in one go."""
    wanted = {name.partition(".")[0] for name in given}
    parts: dict[str, Any] = {}
    for section, kind in sections().items():
        if section not in wanted:
            continue
        prefix = f"{section}."
        ours = {name.removeprefix(prefix): one for name, one in given.items() if name.startswith(prefix)}
        try:
            parts[section] = kind.model_validate({key: expanded(one.value, home) for key, one in ours.items()})
        except ValidationError as error:
            problems = [_problem(section, ours, detail["loc"], detail["msg"]) for detail in error.errors()]
            findings.problems += [problem for problem in problems if problem not in findings.problems]
    return parts


def _problem(section: str, ours: Mapping[str, Given], location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    key = str(location[0]) if location else ""
    info: SettingInfo | None = catalogue().get(f"{section}.{key}")
    if info is None:
        return f"{section}: {message}"
    found = "" if info.is_secret else f" (found {str(ours[key].value)!r})"
    return f"{ours[key].place}: {message[:1].lower()}{message[1:]}{found}"


def _keys_of(
    missing: list[str], parts: Mapping[str, Any], home: Path, keys: Keys, findings: Findings
) -> dict[str, Given]:
    """The node's own keys for those missing; none, and a problem for each, where other nodes need the same ones."""
    reason = _shared_because(parts.get("api"), parts.get("database"), parts.get("queue"))
    if reason is None:
        made = make_secrets(home) if keys is Keys.MAKE and not findings.problems else read_secrets(home)
        return {name: Given(made[name], "generated", f"{name} in secrets.toml") for name in missing if name in made}
    for name in missing:
        variable = catalogue()[name].variable
        findings.problems.append(
            f"{variable} is not set, and {reason}: set {variable} or {variable}_FILE to the same value on every node"
        )
    return {}


def _shared_because(
    api: ApiSettings | None, database: DatabaseSettings | None, queue: QueueSettings | None
) -> str | None:
    """Return why a node may not make up its own secrets, or None for one node that only its machine can reach.

    A section that could not be read is None, and gives no reason.
    """
    if api and not api.is_loopback:
        return f"the API listens on {api.host}, which other machines can reach"
    if database and not database.is_embedded:
        return "the metastore is a server, which other nodes share"
    if queue and not queue.is_embedded:
        return "the queue is a broker, which other nodes share"
    return None


def report(problems: list[str]) -> str:
    """Return what stops a node, all of it."""
    if len(problems) == 1:
        return f"the configuration has a problem: {problems[0]}"
    return "\n  - ".join([f"the configuration has {len(problems)} problems:", *problems])
