"""failure_of: each thing that kinit says has a kind, and advice that can be followed."""

from pathlib import Path

import pytest

from flowd.domain.errors import FlowdError, InvalidSettings, KerberosUnavailable, TicketRefused
from flowd.roles.kerberos.kinit_failure import failure_of

KEYTAB = Path("/etc/flowd/flowd.keytab")


@pytest.mark.parametrize(
    ("said", "kind", "advice"),
    [
        ("Keytab contains no suitable keys for flowd@E", InvalidSettings, "`klist -k /etc/flowd/flowd.keytab` shows"),
        ("Unsupported key table format version number", InvalidSettings, "export it anew"),
        ("Bad format in keytab", InvalidSettings, "export it anew"),
        ("Configuration file does not specify default realm", InvalidSettings, "as name@EXAMPLE.COM"),
        ("Improper format of Kerberos configuration file", InvalidSettings, "mend /etc/krb5.conf"),
        ("Client 'flowd@E' not found in Kerberos database", TicketRefused, "have it made there"),
        ("Preauthentication failed", TicketRefused, "export the keytab anew"),
        ("Password incorrect", TicketRefused, "export the keytab anew"),
        ("Client's credentials have been revoked", TicketRefused, "unlock or prolong"),
        ("Client's entry in database has expired", TicketRefused, "unlock or prolong"),
        ("KDC has no support for encryption type", TicketRefused, "an encryption type that both"),
        ("Cannot contact any KDC for realm 'E'", KerberosUnavailable, "reaches port 88"),
        ('Cannot find KDC for realm "E"', KerberosUnavailable, "under [realms]"),
        ("Cannot resolve network address for KDC in realm E", KerberosUnavailable, "in the DNS"),
        ("Clock skew too great in KDC reply", KerberosUnavailable, "by NTP"),
        ("Something new", KerberosUnavailable, "`kinit -k -t /etc/flowd/flowd.keytab flowd@E`"),
    ],
)
def test_what_kinit_says_is_told_with_what_to_do(said: str, kind: type[FlowdError], advice: str) -> None:
    error = failure_of(f"\nkinit: {said} while getting initial credentials\n", "flowd@E", KEYTAB)

    assert type(error) is kind
    assert str(error).startswith(f"no Kerberos ticket for flowd@E by the keytab {KEYTAB}: {said} while getting")
    assert advice in str(error)


@pytest.mark.parametrize(("said", "told"), [("", "it said nothing"), ("killed\n", "killed")])
def test_what_is_in_no_known_form_is_told_as_it_is(said: str, told: str) -> None:
    assert f": {told}; `kinit" in str(failure_of(said, "flowd@E", KEYTAB))
