"""What the tests of the kerberos role share: a way to fetch tickets of a realm of one's own."""

import os
from pathlib import Path
from typing import Any

from flowd.roles.kerberos.kinit import Kinit, KinitPlan
from tests.support.kdc import REALM, Kdc

PRINCIPAL = f"flowd/worker1@{REALM}"


def a_kinit(kdc: Kdc, keytab: Path, folder: Path, **other: Any) -> Kinit:
    """Kinit for PRINCIPAL into a file of the folder, with what is `other` than usual."""
    plan: dict[str, Any] = {
        "principal": PRINCIPAL,
        "keytab": keytab,
        "cache": folder / "krb5cc",
        "program": "kinit",
        "is_forwardable": True,
        "has_addresses": False,
        "environ": {"PATH": os.environ["PATH"], **kdc.environ},
    }
    return Kinit(KinitPlan(**{**plan, **other}))
