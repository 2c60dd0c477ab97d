"""run_as_user: a task's process becomes another user before it executes, with a copy of its node's Kerberos ticket."""

import fcntl
import os
import pwd
from contextlib import suppress

from flowd.domain.kerberos_ticket import CACHE_VARIABLE, NODE_CACHE_VARIABLE
from flowd.sdk.exceptions import AirflowFailException

OWN_CACHE = ".krb5cc"
"""The copy of the ticket, in the folder that the task runs in: it goes with that, however the task ends."""


def become(user: str) -> None:
    """Give up this process's rights for those of `user`, for good: its id, groups and home, and a ticket to read.

    Raises AirflowFailException where there is no such user on this machine, or this process may not become him.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise AirflowFailException(f"run_as_user={user!r}: there is no such user on this worker; create it") from None
    if account.pw_uid == os.geteuid():
        return
    if os.geteuid() != 0:
        raise AirflowFailException(
            f"run_as_user={user!r}: this worker runs as {pwd.getpwuid(os.geteuid()).pw_name}, and only root can become "
            "another user; start a worker as that user and give the task its queue"
        )
    cache = _copy_ticket(account)
    # The folder that the task runs in is its own, and it is to write there.
    os.chown(os.getcwd(), account.pw_uid, account.pw_gid)
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ |= {"HOME": account.pw_dir, "USER": user, "LOGNAME": user, **cache}


def _copy_ticket(account: pwd.struct_passwd) -> dict[str, str]:
    """Copy the ticket that the node keeps, if it does, to a cache of the user's own; return what names that.

    A cache that is not the node's stays with whom it belongs to.
    """
    shared = os.environ.get(NODE_CACHE_VARIABLE)
    if not shared or os.environ.get(CACHE_VARIABLE) != f"FILE:{shared}":
        return {}
    own = os.path.join(os.getcwd(), OWN_CACHE)
    # Where there is no ticket yet, the variables name a cache that is empty, but one that the user can write.
    with suppress(FileNotFoundError), open(shared, "rb") as ticket:
        # The folder is still this process's alone: nothing can be in the way.
        copy = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # As libkrb5 does: another task may be adding a ticket to it.
        fcntl.lockf(ticket, fcntl.LOCK_SH)
        with open(copy, "wb") as file:
            file.write(ticket.read())
            os.fchown(copy, account.pw_uid, account.pw_gid)
    return {CACHE_VARIABLE: f"FILE:{own}", NODE_CACHE_VARIABLE: own}
