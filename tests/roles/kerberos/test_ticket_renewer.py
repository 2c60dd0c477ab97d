"""TicketRenewer: a ticket that is always good, over outages of the KDC and mistakes of people."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flowd.clock import SystemClock
from flowd.domain.errors import KerberosUnavailable
from flowd.roles.kerberos.kinit import Kinit
from flowd.roles.kerberos.ticket_renewer import REFUSED_PAUSE, TicketRenewer
from tests.roles.kerberos.kinits import PRINCIPAL, a_kinit
from tests.support.kdc import Kdc

HOUR = timedelta(hours=1)


class MovableClock(SystemClock):
    """The machine's clock, `ahead` of time."""

    ahead = timedelta()

    def now(self) -> datetime:
        """Return the time that it shows."""
        return super().now() + self.ahead


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def kinit(kdc: Kdc, keytab: Path, tmp_path: Path) -> Kinit:
    return a_kinit(kdc, keytab, tmp_path)


async def test_a_ticket_is_to_be_renewed_at_half_of_its_life(kinit: Kinit, clock: MovableClock) -> None:
    renewer = TicketRenewer(kinit, clock, HOUR)
    assert (renewer.is_ready, renewer.seconds_left()) == (False, {PRINCIPAL: 0.0})

    pause = await renewer.step()

    assert pause == timedelta(hours=5), "the loop itself waits no longer than its interval"
    assert renewer.is_ready
    assert 9 * 3600 < renewer.seconds_left()[PRINCIPAL] <= 10 * 3600


async def test_one_is_ready_while_its_ticket_is_good_and_no_longer(kinit: Kinit, kdc: Kdc, clock: MovableClock) -> None:
    renewer = TicketRenewer(kinit, clock, HOUR)
    await renewer.step()
    kdc.stop()

    with pytest.raises(KerberosUnavailable):
        await renewer.step()
    assert renewer.is_ready, "the old one is still good"
    clock.ahead = timedelta(hours=11)
    assert (renewer.is_ready, renewer.seconds_left()) == (False, {PRINCIPAL: 0.0})


async def test_a_ticket_that_a_process_before_this_one_fetched_is_good_while_the_kdc_is_away(
    kinit: Kinit, kdc: Kdc, clock: MovableClock
) -> None:
    await kinit.renew()
    kdc.stop()
    renewer = TicketRenewer(kinit, clock, HOUR)

    with pytest.raises(KerberosUnavailable):
        await renewer.step()

    assert renewer.is_ready


async def test_a_key_that_the_kdc_refuses_is_shown_to_it_once_a_minute_and_no_more(
    kinit: Kinit, kdc: Kdc, clock: MovableClock
) -> None:
    kdc.administer("cpw -randkey flowd/worker1")
    renewer = TicketRenewer(kinit, clock, HOUR)

    with capture_logs() as logs:
        pause = await renewer.step()

    assert REFUSED_PAUSE <= pause <= 2 * REFUSED_PAUSE
    (told,) = logs
    assert (told["event"], told["log_level"]) == ("no new kerberos ticket", "error")
    assert "is not the one that the KDC has" in told["error"]
    assert not renewer.is_ready


async def test_a_keytab_that_is_put_in_its_place_later_is_found(kinit: Kinit, clock: MovableClock) -> None:
    keytab = kinit.plan.keytab
    key = keytab.read_bytes()
    keytab.unlink()
    renewer = TicketRenewer(kinit, clock, HOUR)
    with capture_logs() as logs:
        await renewer.step()
    assert "which does not exist" in logs[0]["error"]
    keytab.write_bytes(key)

    await renewer.step()

    assert renewer.is_ready
