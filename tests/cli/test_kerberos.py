"""`flowd kerberos --one-time`: a ticket of a real KDC, shown; or what to do, and an exit code of its own."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Flowd
from tests.support.kdc import REALM, Kdc

PRINCIPAL = f"flowd/worker1@{REALM}"


@pytest.fixture
def kdc(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kdc]:  # after `home`, which sets the environment
    """A realm, with a principal that the settings name."""
    with Kdc.running() as kdc:
        given = {"FLOWD__KERBEROS__PRINCIPAL": PRINCIPAL, "FLOWD__KERBEROS__KEYTAB": str(kdc.add("flowd/worker1"))}
        for name, value in {**given, **kdc.environ}.items():
            monkeypatch.setenv(name, value)
        yield kdc


@pytest.mark.usefixtures("kdc")
def test_a_ticket_is_renewed_and_shown(flowd: Flowd, home: Path) -> None:
    outcome = flowd("kerberos", "--one-time", "-o", "json")

    row = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert (row["principal"], row["ccache"]) == (PRINCIPAL, str(home / "krb5cc"))
    assert row["starts_at"] < row["ends_at"]
    assert subprocess.run(["klist", "-s", "-c", row["ccache"]], check=False).returncode == 0


def test_a_principal_and_a_keytab_that_are_named_come_before_the_settings(flowd: Flowd, kdc: Kdc) -> None:
    keytab = kdc.add("other")

    outcome = flowd("kerberos", f"other@{REALM}", "--keytab", str(keytab), "--one-time", "-o", "plain")

    assert outcome.out.startswith(f"principal\tother@{REALM}\n")


def test_each_kind_of_failure_has_its_exit_code(flowd: Flowd, kdc: Kdc, monkeypatch: pytest.MonkeyPatch) -> None:
    kdc.administer("cpw -randkey flowd/worker1")
    refused = flowd("kerberos", "--one-time")
    kdc.stop()
    away = flowd("kerberos", "--one-time")
    monkeypatch.setenv("FLOWD__KERBEROS__KEYTAB", "/nowhere/keytab")
    missing = flowd("kerberos", "--one-time")
    monkeypatch.delenv("FLOWD__KERBEROS__KEYTAB")
    unset = flowd("kerberos", "--one-time")

    assert [one.code for one in (refused, away, missing, unset)] == [4, 5, 78, 78]
    assert [one.out for one in (refused, away, missing, unset)] == [""] * 4
    assert "export the keytab anew" in refused.err and "Cannot contact any KDC" in away.err
    assert "/nowhere/keytab, which does not exist" in missing.err
    assert unset.err.startswith("flowd: FLOWD__KERBEROS__KEYTAB is not set")
