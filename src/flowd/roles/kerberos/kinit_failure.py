"""failure_of: what kinit said when it got no ticket, as an error that says what to do."""

from dataclasses import dataclass
from pathlib import Path

from flowd.domain.errors import FlowdError, InvalidSettings, KerberosUnavailable, TicketRefused


@dataclass(frozen=True, slots=True)
class _Finding:
    """Words of MIT's libraries, in lower case, that tell a failure; what kind it is of, and what to do about it."""

    words: tuple[str, ...]
    kind: type[FlowdError]
    advice: str


_FINDINGS = (
    _Finding(
        ("no suitable keys",),
        InvalidSettings,
        "the keytab has no key of this principal: `klist -k {keytab}` shows whose it has; set"
        " FLOWD__KERBEROS__PRINCIPAL to one of them, or export another keytab",
    ),
    _Finding(
        ("key table", "format in keytab"),
        InvalidSettings,
        "this file is no keytab that can be read: export it anew, with `ktadd` of kadmin",
    ),
    _Finding(
        ("default realm",),
        InvalidSettings,
        "write the realm into FLOWD__KERBEROS__PRINCIPAL, as name@EXAMPLE.COM, or set default_realm in /etc/krb5.conf",
    ),
    _Finding(
        ("kerberos configuration file",),
        InvalidSettings,
        "mend /etc/krb5.conf, or the file that KRB5_CONFIG names",
    ),
    _Finding(
        ("not found in kerberos database",),
        TicketRefused,
        "the KDC knows no such principal: have it made there, or set FLOWD__KERBEROS__PRINCIPAL to one that it knows",
    ),
    _Finding(
        ("preauthentication failed", "password incorrect", "integrity check failed"),
        TicketRefused,
        "the key in the keytab is not the one that the KDC has, as after a new password: export the keytab anew",
    ),
    _Finding(
        ("revoked", "has expired"),
        TicketRefused,
        "the KDC's administrator has to unlock or prolong this principal",
    ),
    _Finding(
        ("encryption type",),
        TicketRefused,
        "export the keytab anew, with an encryption type that both the KDC and /etc/krb5.conf allow",
    ),
    _Finding(
        ("cannot contact any kdc",),
        KerberosUnavailable,
        "see that a KDC of the realm runs, and that this host reaches port 88 of it, by the names in /etc/krb5.conf",
    ),
    _Finding(
        ("cannot find kdc", "cannot resolve"),
        KerberosUnavailable,
        "name the realm's KDC under [realms] in /etc/krb5.conf, or in the DNS, and see that its name is found",
    ),
    _Finding(
        ("clock skew",),
        KerberosUnavailable,
        "this host's clock and the KDC's are too far apart (5 minutes are allowed): set both by NTP",
    ),
)
_UNKNOWN = _Finding((), KerberosUnavailable, "`kinit -k -t {keytab} {principal}` on this host should say the same")


def failure_of(said: str, principal: str, keytab: Path) -> FlowdError:
    """Return the error for a kinit that failed and `said` this.

    InvalidSettings: something on this host is to be mended. TicketRefused: the KDC answered, and gives none.
    KerberosUnavailable: trying again may succeed.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1].partition(": ")[2] or lines[-1] if lines else "it said nothing"
    lower = last.lower()
    finding = next((one for one in _FINDINGS if any(words in lower for words in one.words)), _UNKNOWN)
    advice = finding.advice.format(principal=principal, keytab=keytab)
    return finding.kind(f"no Kerberos ticket for {principal} by the keytab {keytab}: {last}; {advice}")
