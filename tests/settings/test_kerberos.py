"""The section of Kerberos: Airflow's names, what is refused, and what tasks are told."""

from datetime import timedelta
from pathlib import Path

import pytest

from flowd.domain.errors import InvalidSettings
from flowd.node.kerberos import make_kinit
from flowd.settings.kerberos import KerberosSettings
from flowd.settings.load import load_settings

AIRFLOW = {
    "AIRFLOW__KERBEROS__PRINCIPAL": "airflow/_HOST@EXAMPLE.COM",
    "AIRFLOW__KERBEROS__KEYTAB": "/etc/airflow.keytab",
    "AIRFLOW__KERBEROS__CCACHE": "FILE:/run/airflow/ccache",
    "AIRFLOW__KERBEROS__REINIT_FREQUENCY": "1800",
    "AIRFLOW__KERBEROS__KINIT_PATH": "/opt/mit/bin/kinit",
    "AIRFLOW__KERBEROS__FORWARDABLE": "False",
    "AIRFLOW__KERBEROS__INCLUDE_IP": "True",
}


def load(folder: Path, **given: str) -> KerberosSettings:
    return load_settings({"FLOWD_HOME": str(folder / "home"), **given}, folder=folder).kerberos


def test_airflows_own_settings_work_as_they_are(tmp_path: Path) -> None:
    settings = load(tmp_path, **AIRFLOW)

    assert settings == KerberosSettings(
        principal="airflow/_HOST@EXAMPLE.COM",
        keytab=Path("/etc/airflow.keytab"),
        ccache=Path("/run/airflow/ccache"),
        renew_interval=timedelta(minutes=30),
        kinit_path="/opt/mit/bin/kinit",
        forwardable=False,
        include_ip=True,
    )


def test_flowds_own_names_come_before_airflows(tmp_path: Path) -> None:
    settings = load(tmp_path, **AIRFLOW, FLOWD__KERBEROS__PRINCIPAL="flowd@EXAMPLE.COM")

    assert settings.principal == "flowd@EXAMPLE.COM"


def test_tasks_are_told_of_the_cache_where_there_is_to_be_a_ticket(tmp_path: Path) -> None:
    cache = tmp_path / "home" / "krb5cc"
    who, key = {"FLOWD__KERBEROS__PRINCIPAL": "flowd@E"}, {"FLOWD__KERBEROS__KEYTAB": "/k"}

    assert load(tmp_path, **who, **key).variables == {
        "KRB5CCNAME": f"FILE:{cache}",
        "AIRFLOW__KERBEROS__CCACHE": str(cache),
    }
    for half in ({}, who, key, {**who, "FLOWD__KERBEROS__KEYTAB": ""}):
        assert load(tmp_path, **half).variables == {}


@pytest.mark.parametrize("kind", ["KEYRING:persistent:0", "DIR:/run/krb5", "KCM:"])
def test_a_cache_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InvalidSettings, match="FLOWD__KERBEROS__CCACHE: it must be the path of a file"):
        load(tmp_path, FLOWD__KERBEROS__CCACHE=kind)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "FLOWD__KERBEROS__PRINCIPAL"),
        ({"FLOWD__KERBEROS__KEYTAB": "/k"}, "FLOWD__KERBEROS__PRINCIPAL"),
        ({"FLOWD__KERBEROS__PRINCIPAL": "flowd@E"}, "FLOWD__KERBEROS__KEYTAB"),
    ],
)
def test_the_role_wants_a_principal_and_a_keytab(tmp_path: Path, given: dict[str, str], missing: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{missing} is not set"):
        make_kinit(load(tmp_path, **given), {})


def test_the_hosts_name_is_filled_in_and_kinit_is_given_no_secret_of_flowds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: "Worker1.Example.COM")

    plan = make_kinit(load(tmp_path, **AIRFLOW), {"KRB5_CONFIG": "/k", "FLOWD__SECURITY__SECRET_KEY": "x"}).plan

    assert (plan.principal, plan.klist) == ("airflow/worker1.example.com@EXAMPLE.COM", "/opt/mit/bin/klist")
    assert plan.environ == {"KRB5_CONFIG": "/k"}
