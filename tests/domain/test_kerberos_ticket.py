"""KerberosTicket: read off what klist prints, and how long it is good."""

from datetime import UTC, datetime, timedelta

import pytest

from flowd.domain.kerberos_ticket import KerberosTicket, ticket_in

PRINTED = """\
Ticket cache: FILE:/var/lib/flowd/krb5cc
Default principal: flowd/worker1.example.com@EXAMPLE.COM

Valid starting     Expires            Service principal
11/28/26 23:55:00  11/29/26 09:55:00  krbtgt/EXAMPLE.COM@EXAMPLE.COM
\trenew until 11/29/26 23:55:00
11/28/26 23:56:00  11/29/26 09:55:00  hdfs/nn.example.com@EXAMPLE.COM
"""
TICKET = KerberosTicket(
    principal="flowd/worker1.example.com@EXAMPLE.COM",
    starts_at=datetime(2026, 11, 28, 23, 55, tzinfo=UTC),
    ends_at=datetime(2026, 11, 29, 9, 55, tzinfo=UTC),
)


def test_a_ticket_is_read_off_what_klist_prints() -> None:
    assert ticket_in(PRINTED) == TICKET


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "klist: No credentials cache found (filename: /var/lib/flowd/krb5cc)\n",
        "Ticket cache: FILE:/x\nDefault principal: flowd@EXAMPLE.COM\n\nValid starting     Expires\n",
        PRINTED.replace("krbtgt/EXAMPLE.COM", "HTTP/www.example.com"),
        PRINTED.replace("Default principal", "Principal"),
    ],
    ids=["nothing", "no cache", "empty cache", "tickets of services alone", "another klist"],
)
def test_where_there_is_no_ticket_granting_ticket_none_is_read(printed: str) -> None:
    assert ticket_in(printed) is None


def test_it_is_good_until_its_end_and_no_longer() -> None:
    assert TICKET.half_life == timedelta(hours=5)
    assert TICKET.seconds_left(TICKET.ends_at - timedelta(seconds=90)) == 90
    assert TICKET.seconds_left(TICKET.ends_at + timedelta(seconds=90)) == 0


@pytest.mark.parametrize(
    ("principal", "is_its"),
    [
        ("flowd/worker1.example.com@EXAMPLE.COM", True),
        ("flowd/worker1.example.com", True),
        ("flowd/worker1.example.com@OTHER.COM", False),
        ("flowd", False),
    ],
)
def test_a_principal_may_leave_out_its_realm(principal: str, is_its: bool) -> None:
    assert TICKET.is_of(principal) is is_its
