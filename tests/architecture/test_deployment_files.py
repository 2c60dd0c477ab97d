"""The files with which flowd is put on machines, each checked by the program that reads it where there is one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowd.settings.load import load_settings
from tests.architecture.source_file import REPOSITORY

CONFIG = REPOSITORY / "config"
UNITS = sorted((CONFIG / "systemd").glob("*.service"))
MOST_EXPOSED = 40
"""Of systemd's own scale: 100 is a service that may do everything."""

SECRETS = {
    "FLOWD_SERVER_PASSWORD": "a-password",
    "FLOWD_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "FLOWD_FERNET_KEY": "YWNjZXB0YW5jZS1mZXJuZXQta2V5LTAxMjM0NTY3ODk=",
    "FLOWD_ADMIN_PASSWORD": "a-password",
}


def checked(*command: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which(command[0], path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if program is None:
        pytest.fail(f"{command[0]} is not installed here; `make services` as root on Debian installs it", pytrace=False)
    return subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)


def with_known_hosts(file: Path, folder: Path) -> str:
    """The file with addresses in the place of names, which only a cluster knows."""
    copy = folder / file.name
    copy.write_text(re.sub(r"master([12]):8080", r"127.0.0.\1:8080", file.read_text()))
    return str(copy)


def test_haproxy_accepts_its_file(tmp_path: Path) -> None:
    done = checked("haproxy", "-c", "-f", with_known_hosts(CONFIG / "haproxy.cfg", tmp_path))

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    done = checked("nginx", "-t", "-p", str(tmp_path), "-c", with_known_hosts(CONFIG / "nginx.conf", tmp_path))

    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_units_and_finds_them_closed(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/flowd/bin/flowd", str(Path(sys.executable).with_name("flowd"))))

    verified = checked("systemd-analyze", "verify", str(copy))
    rated = checked("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(copy))

    assert [line for line in verified.stderr.splitlines() if unit.name in line] == []
    assert verified.returncode == 0, verified.stderr
    assert rated.returncode == 0, rated.stdout


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_prometheus_accepts_its_files_and_the_alerts_ring_when_they_should(arguments: tuple[str, ...]) -> None:
    done = checked("promtool", *arguments[:-1], str(CONFIG / arguments[-1]))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_both_ringing_and_silent() -> None:
    rules = yaml.safe_load((CONFIG / "alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((CONFIG / "alerts_test.yml").read_text())["tests"]
    asked = [one for test in tests for one in test["alert_rule_test"]]

    names = {rule["alert"] for rule in rules}
    assert {one["alertname"] for one in asked if one.get("exp_alerts")} == names
    assert {one["alertname"] for one in asked if not one.get("exp_alerts")} == names


def services() -> dict[str, dict[str, Any]]:
    document: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    return dict(document["services"])


def variables(service: dict[str, Any]) -> dict[str, str]:
    """The service's environment, as compose fills it in from `.env`."""
    return {
        name: re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda found: SECRETS[found[1]], str(value))
        for name, value in service["environment"].items()
    }


def test_every_node_of_the_compose_file_has_settings_that_flowd_accepts(tmp_path: Path) -> None:
    nodes = {name: one for name, one in services().items() if one.get("image") == "flowd"}

    settings = {name: load_settings({**variables(one), "FLOWD_HOME": str(tmp_path)}, {}) for name, one in nodes.items()}

    roles = {name: one.node.roles for name, one in settings.items() if name != "migrate"}
    assert {name: list(role) for name, role in roles.items()} == {
        "master1": ["api"],
        "master2": ["api"],
        "scheduler1": ["scheduler"],
        "scheduler2": ["scheduler"],
        "worker": ["worker"],
    }
    assert [one.warnings for one in settings.values() if one.warnings] == []


def test_what_the_compose_file_names_is_there() -> None:
    found = services()
    mounts = [volume for one in found.values() for volume in one.get("volumes", ()) if volume.startswith("./config")]

    assert {"postgres", "rabbitmq", "migrate", "lb", "prometheus"} <= set(found)
    assert all((REPOSITORY / mount.split(":")[0]).is_file() for mount in mounts) and mounts
    assert all(other in found for one in found.values() for other in one.get("depends_on", ()))
    assert all(re.fullmatch(r"\S+:v?[\d.]+\S*", one["image"]) for one in found.values() if one["image"] != "flowd")
