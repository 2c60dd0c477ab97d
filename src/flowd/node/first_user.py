"""The first user: an admin with a given password, or a login link that works once, on this machine only."""

import sys

import structlog

from flowd.db.accounts import ADMIN, Accounts
from flowd.db.login_links import LoginLinks
from flowd.db.metastore import Metastore
from flowd.node.readiness import Readiness
from flowd.settings.model import Settings

log = structlog.get_logger(__name__)


async def prepare_first_user(settings: Settings, metastore: Metastore) -> None:
    """Make the account `admin` where there is none: with the password set, or without one on loopback."""
    password = settings.security.admin_password
    if password is not None:
        await Accounts(metastore).ensure_admin(password.get_secret_value())
    elif settings.api.is_loopback and metastore.is_embedded:
        await Accounts(metastore).ensure_admin(None)


async def announce(settings: Settings, metastore: Metastore, readiness: Readiness) -> None:
    """Say that the node is ready and, on loopback without a password, print a link that logs in once."""
    await readiness.wait()
    log.info("ready", roles=",".join(settings.node.roles))
    if "api" not in settings.node.roles:
        return
    if settings.security.admin_password is None and settings.api.is_loopback and metastore.is_embedded:
        token = await LoginLinks(metastore).issue(ADMIN)
        # Not logged: a log is kept and shipped, and this is a key.
        sys.stderr.write(f"\n  Log in, once, at  {settings.api.url}/login?token={token}\n\n")
    else:
        sys.stderr.write(f"\n  flowd is at  {settings.api.url}\n\n")
    sys.stderr.flush()
