"""The kerberos role, made from the settings."""

import socket
from collections.abc import Mapping

from flowd.clock import SystemClock
from flowd.domain.errors import InvalidSettings
from flowd.roles.kerberos.kinit import Kinit, KinitPlan
from flowd.roles.kerberos.ticket_renewer import TicketRenewer
from flowd.roles.worker.task_environment import scrubbed
from flowd.settings.kerberos import KerberosSettings

HOST = "_HOST"
"""Stands for the name of the host in a principal, so that one configuration is for all of them."""


def make_kinit(settings: KerberosSettings, environ: Mapping[str, str]) -> Kinit:
    """Return what fetches tickets; raise InvalidSettings where nobody is named whom they are for."""
    if not settings.principal or settings.keytab is None:
        missing = "FLOWD__KERBEROS__KEYTAB" if settings.principal else "FLOWD__KERBEROS__PRINCIPAL"
        raise InvalidSettings(
            f"{missing} is not set: a Kerberos ticket needs a principal, as flowd@EXAMPLE.COM, and a keytab"
        )
    principal = settings.principal
    if HOST in principal:
        principal = principal.replace(HOST, socket.getfqdn().lower())
    return Kinit(
        KinitPlan(
            principal=principal,
            keytab=settings.keytab,
            cache=settings.ccache,
            program=settings.kinit_path,
            is_forwardable=settings.forwardable,
            has_addresses=settings.include_ip,
            environ=scrubbed(environ),
        )
    )


def make_ticket_renewer(settings: KerberosSettings, environ: Mapping[str, str]) -> TicketRenewer:
    """Return the kerberos role; raise InvalidSettings as `make_kinit` does."""
    return TicketRenewer(make_kinit(settings, environ), SystemClock(), settings.renew_interval)
