"""Kinit: a real KDC gives a ticket, which takes the old one's place at one stroke; or an error says what to do."""

import asyncio
import os
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowd.domain.errors import FlowdError, InvalidSettings, KerberosUnavailable, TicketRefused
from flowd.roles.kerberos import kinit as kinit_module
from flowd.roles.kerberos.kinit import ABANDONED_SECONDS, Kinit
from tests.child.keeper.launching import is_alive, pid_in
from tests.roles.kerberos.kinits import PRINCIPAL, a_kinit
from tests.support.kdc import REALM, Kdc


async def refused(kinit: Kinit) -> FlowdError:
    """The error of a ticket that is not given; nothing is left beside the cache."""
    with pytest.raises(FlowdError) as raised:
        await kinit.renew()
    assert not list(kinit.plan.cache.parent.glob(".krb5cc*"))
    return raised.value


async def test_a_ticket_is_fetched_into_a_file_that_nobody_else_can_read(
    kdc: Kdc, keytab: Path, tmp_path: Path
) -> None:
    kinit = a_kinit(kdc, keytab, tmp_path / "new" / "folder")
    before = os.umask(0)
    try:
        ticket = await kinit.renew()
    finally:
        os.umask(before)

    cache = kinit.plan.cache
    assert ticket.principal == PRINCIPAL
    assert timedelta(hours=9) < ticket.ends_at - datetime.now(UTC) < timedelta(hours=11)
    assert (stat.S_IMODE(cache.stat().st_mode), [one.name for one in cache.parent.iterdir()]) == (0o600, ["krb5cc"])
    assert await kinit.held() == ticket


async def test_a_new_ticket_takes_the_old_ones_place_and_who_reads_that_one_reads_on(
    kdc: Kdc, keytab: Path, tmp_path: Path
) -> None:
    kinit = a_kinit(kdc, keytab, tmp_path)
    await kinit.renew()
    old = kinit.plan.cache.read_bytes()
    with kinit.plan.cache.open("rb") as reader:
        begin = reader.read(10)

        await kinit.renew()

        assert begin + reader.read() == old
    assert kinit.plan.cache.read_bytes() != old


async def test_what_a_ticket_can_do_is_what_was_asked_for(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    async def flags(kinit: Kinit) -> str:
        await kinit.renew()
        shown = await asyncio.create_subprocess_exec(
            *("klist", "-f", "-a", "-n", f"FILE:{kinit.plan.cache}"),
            env={"PATH": os.environ["PATH"], **kdc.environ},
            stdout=asyncio.subprocess.PIPE,
        )
        return (await shown.communicate())[0].decode()

    plain = await flags(a_kinit(kdc, keytab, tmp_path, is_forwardable=False))
    able = await flags(a_kinit(kdc, keytab, tmp_path))

    assert "Flags: IA" in plain and "Flags: FIA" in able
    assert "(none)" in able


async def test_the_programs_words_are_understood_whatever_the_nodes_language_and_time_zone(
    kdc: Kdc, keytab: Path, tmp_path: Path
) -> None:
    abroad = {"PATH": os.environ["PATH"], **kdc.environ, "LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Tokyo"}

    ticket = await a_kinit(kdc, keytab, tmp_path, environ=abroad).renew()

    assert abs(ticket.starts_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_kdc_that_is_away_is_unavailable_and_the_old_ticket_stays(
    kdc: Kdc, keytab: Path, tmp_path: Path
) -> None:
    kinit = a_kinit(kdc, keytab, tmp_path)
    ticket = await kinit.renew()
    kdc.stop()

    error = await refused(kinit)

    assert isinstance(error, KerberosUnavailable) and "Cannot contact any KDC" in str(error)
    assert await kinit.held() == ticket


async def test_a_keytab_whose_key_has_changed_is_refused_by_the_kdc(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    kdc.administer("cpw -randkey flowd/worker1")

    error = await refused(a_kinit(kdc, keytab, tmp_path))

    assert isinstance(error, TicketRefused) and "is not the one that the KDC has" in str(error)


async def test_a_principal_that_the_kdc_does_not_know_is_refused(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    kdc.administer("delprinc -force flowd/worker1")

    error = await refused(a_kinit(kdc, keytab, tmp_path))

    assert isinstance(error, TicketRefused) and "the KDC knows no such principal" in str(error)


async def test_a_keytab_without_the_principal_is_for_this_host_to_mend(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    error = await refused(a_kinit(kdc, keytab, tmp_path, principal=f"other@{REALM}"))

    assert isinstance(error, InvalidSettings) and f"`klist -k {keytab}` shows whose it has" in str(error)


async def test_a_file_that_is_no_keytab_is_for_this_host_to_mend(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    kinit = a_kinit(kdc, keytab, tmp_path)
    kinit.plan.keytab.write_text("no keytab at all\n")

    error = await refused(kinit)

    assert isinstance(error, InvalidSettings) and "export it anew" in str(error)


async def test_a_keytab_that_is_missing_or_no_file_is_named(kdc: Kdc, tmp_path: Path) -> None:
    missing = await refused(a_kinit(kdc, tmp_path / "keytab", tmp_path))
    folder = await refused(a_kinit(kdc, tmp_path, tmp_path))

    assert isinstance(missing, InvalidSettings) and isinstance(folder, InvalidSettings)
    assert str(missing).startswith(
        f"kerberos.keytab is {tmp_path}/keytab, which does not exist: put the keytab of flowd/"
    )
    assert str(folder).startswith(f"kerberos.keytab is {tmp_path}, which this user cannot read (Is a directory)")


async def test_a_kinit_that_is_not_installed_is_named_with_the_package(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    error = await refused(a_kinit(kdc, keytab, tmp_path, program="/nowhere/kinit"))

    assert isinstance(error, InvalidSettings)
    assert "/nowhere/kinit cannot be run (No such file or directory): install Debian's krb5-user" in str(error)


async def test_a_cache_that_cannot_be_written_is_named(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "krb5cc").mkdir()

    no_folder = await refused(a_kinit(kdc, keytab, tmp_path, cache=tmp_path / "file" / "krb5cc"))
    in_the_way = await refused(a_kinit(kdc, keytab, tmp_path))

    for error in (no_folder, in_the_way):
        assert isinstance(error, InvalidSettings) and "set FLOWD__KERBEROS__CCACHE to a file in a" in str(error)


async def test_a_program_that_hangs_is_ended(
    kdc: Kdc, keytab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinit_module, "PROGRAM_SECONDS", 0.2)
    program = tmp_path / "kinit"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)

    error = await refused(a_kinit(kdc, keytab, tmp_path, program=str(program)))

    assert isinstance(error, KerberosUnavailable) and "took longer than 0.2 seconds" in str(error)
    # It may have been ended before it could write its number.
    assert not is_alive(pid_in(tmp_path / "pid") or 0)


async def test_the_ticket_of_somebody_else_is_not_taken_for_ones_own(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    await a_kinit(kdc, kdc.add("other"), tmp_path, principal=f"other@{REALM}").renew()

    assert await a_kinit(kdc, keytab, tmp_path).held() is None
    assert await a_kinit(kdc, keytab, tmp_path / "empty").held() is None


async def test_what_a_killed_process_left_beside_the_cache_is_removed(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".krb5cc.old", ".krb5cc.new", ".other"))
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (0, time.time() - 2 * ABANDONED_SECONDS))

    await a_kinit(kdc, keytab, tmp_path).renew()

    assert (old.exists(), new.exists(), other.exists()) == (False, True, True)
