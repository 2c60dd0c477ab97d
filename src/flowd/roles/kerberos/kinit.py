"""Kinit: fetches a ticket with the programs kinit and klist, and puts it in the place of the old one at one stroke."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowd.domain.errors import InvalidSettings, KerberosUnavailable
from flowd.domain.kerberos_ticket import KerberosTicket, ticket_in
from flowd.roles.kerberos.kinit_failure import failure_of

PROGRAM_SECONDS = 60.0
"""How long a program may take: kinit gives up by itself after some ten seconds for each KDC that is silent."""

ABANDONED_SECONDS = 2 * PROGRAM_SECONDS
"""A file beside the cache that is older was left by a process that was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KinitPlan:
    """Whom tickets are for, by which keytab, and where they are kept. `environ` is what the programs are given."""

    principal: str
    keytab: Path
    cache: Path
    program: str
    is_forwardable: bool
    has_addresses: bool
    environ: Mapping[str, str]

    @property
    def klist(self) -> str:
        """The program that comes with `program`: beside it, or as that on the PATH."""
        folder, slash, _ = self.program.rpartition("/")
        return f"{folder}{slash}klist"


class Kinit:
    """Any number of processes may renew one cache: who reads it finds a whole ticket, of whoever came last."""

    def __init__(self, plan: KinitPlan) -> None:
        self.plan = plan
        # What they print is read: in no other language than this, and in no other time zone.
        self._environ = {**plan.environ, "LC_ALL": "C", "TZ": "UTC"}

    async def renew(self) -> KerberosTicket:
        """Fetch a ticket into the cache, with mode 0600, and return it. Where that fails, the cache stays as it is.

        Raises InvalidSettings where something on this host is to be mended, TicketRefused where the KDC gives none, and
        KerberosUnavailable where trying again may succeed.
        """
        plan = self.plan
        _check_keytab(plan)
        with self._beside() as new:
            code, said = await self._run(
                plan.program,
                "-f" if plan.is_forwardable else "-F",
                "-a" if plan.has_addresses else "-A",
                *("-k", "-t", str(plan.keytab), "-c", f"FILE:{new}", plan.principal),
            )
            if code:
                raise failure_of(said, plan.principal, plan.keytab)
            ticket = await self._read(new)
            if ticket is None:
                raise KerberosUnavailable(
                    f"{plan.program} got no ticket that {plan.klist} can show; both must be MIT's, as of Debian's"
                    " krb5-user: FLOWD__KERBEROS__KINIT_PATH names another"
                )
            self._put_in_place(new)
        return ticket

    async def held(self) -> KerberosTicket | None:
        """Return the ticket of the principal that is in the cache, were it one that has ended; None for none."""
        ticket = await self._read(self.plan.cache) if self.plan.cache.exists() else None
        return ticket if ticket is not None and ticket.is_of(self.plan.principal) else None

    async def _read(self, cache: Path) -> KerberosTicket | None:
        code, printed = await self._run(self.plan.klist, f"FILE:{cache}")
        return None if code else ticket_in(printed)

    async def _run(self, program: str, *arguments: str) -> tuple[int, str]:
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environ,
                # A Ctrl-C on the terminal is the node's, which ends it itself.
                start_new_session=True,
            )
        except OSError as error:
            raise InvalidSettings(
                f"{program} cannot be run ({error.strerror}): install Debian's krb5-user, or krb5-workstation"
                " elsewhere; or set FLOWD__KERBEROS__KINIT_PATH to where kinit is"
            ) from error
        try:
            async with asyncio.timeout(PROGRAM_SECONDS):
                output, _ = await process.communicate()
        except TimeoutError:
            raise KerberosUnavailable(
                f"{program} took longer than {PROGRAM_SECONDS:g} seconds: see that this host reaches the DNS, and the"
                " KDCs that /etc/krb5.conf names"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return await process.wait(), output.decode(errors="replace")

    @contextmanager
    def _beside(self) -> Iterator[Path]:
        """A file beside the cache; it is gone at the end, or in the cache's place."""
        cache = self.plan.cache
        prefix = f".{cache.name}."
        try:
            cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _remove_abandoned(cache.parent, prefix)
            number, name = tempfile.mkstemp(prefix=prefix, dir=cache.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        os.close(number)
        new = Path(name)
        try:
            yield new
        finally:
            new.unlink(missing_ok=True)

    def _put_in_place(self, new: Path) -> None:
        try:
            new.chmod(0o600)
            new.replace(self.plan.cache)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> InvalidSettings:
        return InvalidSettings(
            f"kerberos.ccache is {self.plan.cache}, which this user cannot write ({error.strerror}); set"
            " FLOWD__KERBEROS__CCACHE to a file in a folder of its own"
        )


def _check_keytab(plan: KinitPlan) -> None:
    """Raise InvalidSettings where the keytab cannot be read: kinit does not say more than that it has no key."""
    try:
        with open(plan.keytab, "rb"):
            pass
    except FileNotFoundError as error:
        raise InvalidSettings(
            f"kerberos.keytab is {plan.keytab}, which does not exist: put the keytab of {plan.principal} there, or set"
            " FLOWD__KERBEROS__KEYTAB to where it is"
        ) from error
    except OSError as error:
        raise InvalidSettings(
            f"kerberos.keytab is {plan.keytab}, which this user cannot read ({error.strerror}): make it the file of the"
            " user that flowd runs as, with mode 0400"
        ) from error


def _remove_abandoned(folder: Path, prefix: str) -> None:
    for path in folder.glob(f"{prefix}*"):
        if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
            path.unlink(missing_ok=True)
