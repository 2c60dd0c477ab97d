"""The places that settings come from, each read into `section.key -> value`, with its problems told and not raised."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from flowd.domain.kerberos_ticket import NODE_CACHE_VARIABLE
from flowd.domain.secret_names import BACKEND_VARIABLE
from flowd.settings.catalogue import PREFIX, SettingInfo, catalogue

FILE_SUFFIX = "_FILE"
DEFAULT_CONFIG = Path("config", "flowd.toml")
AIRFLOW_NAMES = {
    "secrets.backend": BACKEND_VARIABLE,
    "secrets.backend_kwargs": f"{BACKEND_VARIABLE}_KWARGS",
    "kerberos.principal": "AIRFLOW__KERBEROS__PRINCIPAL",
    "kerberos.keytab": "AIRFLOW__KERBEROS__KEYTAB",
    "kerberos.ccache": NODE_CACHE_VARIABLE,
    "kerberos.renew_interval": "AIRFLOW__KERBEROS__REINIT_FREQUENCY",
    "kerberos.kinit_path": "AIRFLOW__KERBEROS__KINIT_PATH",
    "kerberos.forwardable": "AIRFLOW__KERBEROS__FORWARDABLE",
    "kerberos.include_ip": "AIRFLOW__KERBEROS__INCLUDE_IP",
}
"""Settings that an Airflow cluster's environment has already; flowd's own name comes before."""

XCOM_BACKEND = "AIRFLOW__CORE__XCOM_BACKEND"
COVERED_XCOM_BACKENDS = frozenset(
    {
        "airflow.models.xcom.BaseXCom",
        "airflow.sdk.bases.xcom.BaseXCom",
        "airflow.sdk.execution_time.xcom.BaseXCom",
        "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
    }
)
"""Airflow's own, whose work flowd does by itself."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value that someone gave, and where: "environment", or "toml" with the place spelt out."""

    value: object
    source: str
    place: str


@dataclass(slots=True)
class Findings:
    """What is wrong with a configuration, and what of it has no effect."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    """Return the flags that were given; None is a flag that was not."""
    return {name: Given(value, "flag", f"{name} (flag)") for name, value in flags.items() if value is not None}


def read_environment(environ: Mapping[str, str], findings: Findings, source: str = "environment") -> dict[str, Given]:
    """Return the settings that variables give, in clear or as the name of a file. An empty variable is an unset one."""
    given: dict[str, Given] = {}
    remaining = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    for info in catalogue().values():
        value = remaining.pop(info.variable, None)
        path = remaining.pop(info.variable + FILE_SUFFIX, None) if info.is_secret else None
        if value is not None and path is not None:
            findings.problems.append(
                f"{info.variable} and {info.variable}{FILE_SUFFIX} are both set; unset one of them"
            )
        elif value is not None:
            given[info.name] = Given(value, source, info.variable)
        elif path is not None and (text := _file_text(path, info, findings)) is not None:
            given[info.name] = Given(text, "file", f"{info.variable}{FILE_SUFFIX} ({path})")
    findings.warnings += [_unknown_variable(name) for name in sorted(remaining)]
    return given


def read_airflow(environ: Mapping[str, str], findings: Findings, source: str = "environment") -> dict[str, Given]:
    """Return the settings that are given under Airflow's own names. An empty variable is an unset one.

    An XCom backend of the team's own is a problem: one that encrypts would be missed only when all is stored in clear.
    """
    backend = environ.get(XCOM_BACKEND)
    if backend and backend not in COVERED_XCOM_BACKENDS:
        place = XCOM_BACKEND if source == "environment" else f"{XCOM_BACKEND} in {source}"
        findings.problems.append(
            f"{place} names {backend}, and flowd runs no XCom backend but its own: unset it. Large values go to files"
            " or S3 by FLOWD__XCOM__STORE; nothing encrypts XComs, so keep secrets in connections or variables"
        )
    return {
        name: Given(environ[variable], source, variable)
        for name, variable in AIRFLOW_NAMES.items()
        if environ.get(variable)
    }


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file; none where there is no such file."""
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    return {name: value for name, value in values.items() if value is not None}


def read_toml(path: Path, findings: Findings, *, is_wanted: bool) -> dict[str, Given]:
    """Return the settings of a TOML file; its absence is a problem only where it `is_wanted`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if is_wanted:
            findings.problems.append(f"FLOWD_CONFIG names {path}, which does not exist")
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        findings.problems.append(f"{path} cannot be read: {error}")
        return {}
    given = {}
    for section, values in document.items():
        if not isinstance(values, dict):
            findings.problems.append(f"{path}: {section!r} stands outside a section; put it under one, as [worker]")
            continue
        for key, value in values.items():
            name = f"{section}.{key}"
            if name in catalogue():
                given[name] = Given(value, "toml", f"{name} in {path}")
            else:
                findings.warnings.append(f"{path}: {name} is no setting{_nearest(name, list(catalogue()))}")
    return given


def expanded(value: object, home: Path) -> Any:
    """Return the value with $FLOWD_HOME filled in, wherever it is a text or a list of texts."""
    if isinstance(value, list):
        return [expanded(item, home) for item in value]
    if isinstance(value, str):
        return value.replace("${FLOWD_HOME}", os.fspath(home)).replace("$FLOWD_HOME", os.fspath(home))
    return value


def _file_text(path: str, info: SettingInfo, findings: Findings) -> str | None:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        findings.problems.append(f"{info.variable}{FILE_SUFFIX} names {path}, which cannot be read: {reason}")
        return None


def _unknown_variable(name: str) -> str:
    by_variable = {info.variable: info for info in catalogue().values()}
    plain = by_variable.get(name.removesuffix(FILE_SUFFIX))
    if plain is not None:
        return f"{name} has no effect: only secrets are read from files; set {plain.variable}"
    return f"{name} is no setting{_nearest(name, list(by_variable))}"


def _nearest(name: str, names: list[str]) -> str:
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    return f"; did you mean {nearest[0]}?" if nearest else "; `flowd config list` shows all"
