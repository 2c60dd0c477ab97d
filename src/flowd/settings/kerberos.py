"""KerberosSettings: whose Kerberos ticket the tasks of a host get, and how it is renewed."""

import re

from pydantic import field_validator

from flowd.domain.kerberos_ticket import CACHE_VARIABLE, NODE_CACHE_VARIABLE
from flowd.settings.section import Section
from flowd.settings.types import Folder, OptionalFile, PositiveDuration, setting

_FILE = "FILE:"
_OTHER_KIND = re.compile(r"[A-Za-z]+:")


class KerberosSettings(Section):
    """A Kerberos ticket for the tasks of this host, which the kerberos role renews."""

    principal: str = setting(
        "",
        "Whom the ticket is for, as flowd/_HOST@EXAMPLE.COM, where _HOST stands for the host's full name; empty is"
        " nobody. For this and the rest of the section, AIRFLOW__KERBEROS__PRINCIPAL and so on say the same.",
        pattern=r"^([^\s-]\S*)?$",
    )
    keytab: OptionalFile = setting("", "The file with the principal's key, which only the kerberos role reads.")
    ccache: Folder = setting(
        "$FLOWD_HOME/krb5cc",
        "The credential cache: the file that the ticket is written to, and that tasks read.",
    )
    renew_interval: PositiveDuration = setting(
        "1h",
        "How often a ticket is fetched, where half of its life is no shorter; Airflow's reinit_frequency.",
    )
    kinit_path: str = setting("kinit", "The program that fetches tickets; klist is looked for beside it.", min_length=1)
    forwardable: bool = setting("true", "Whether a ticket can be sent on to other hosts.")
    include_ip: bool = setting("false", "Whether a ticket is good from this host's addresses alone; not behind a NAT.")

    @field_validator("keytab", "ccache", mode="before")
    @classmethod
    def _is_a_file(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        path = value.removeprefix(_FILE)
        if _OTHER_KIND.match(path):
            raise ValueError("it must be the path of a file: tasks share it with the role that renews it")
        return path

    @property
    def variables(self) -> dict[str, str]:
        """What processes that run tasks are told: where the ticket is; nothing where there is to be none."""
        if not self.principal or self.keytab is None:
            return {}
        return {CACHE_VARIABLE: f"{_FILE}{self.ccache}", NODE_CACHE_VARIABLE: str(self.ccache)}
