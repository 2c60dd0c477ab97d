"""run_as_user: a task's process becomes another user before it executes."""

import os
import pwd

from flowd.sdk.exceptions import AirflowFailException


def become(user: str) -> None:
    """Give up this process's rights for those of `user`, for good: its id, groups and home.

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
    # The folder that the task runs in is its own, and it is to write there.
    os.chown(os.getcwd(), account.pw_uid, account.pw_gid)
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ |= {"HOME": account.pw_dir, "USER": user, "LOGNAME": user}
