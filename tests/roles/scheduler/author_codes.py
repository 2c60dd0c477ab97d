"""Authors' code as schedulers run it, over a site."""

import os
from pathlib import Path

from cryptography.fernet import Fernet

from flowd.db.secrets_store import Connections, Variables
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.security.vault import Vault
from tests.support.ledger_site import LedgerSite

KEY = Fernet.generate_key().decode()


def author_code_of(site: LedgerSite, folder: Path) -> AuthorCode:
    """What runs authors' code of this site, with its bundles and logs in `folder`."""
    vault, store = Vault([KEY]), site.metastore
    return AuthorCode(
        library=Library(metastore=store, variables=Variables(store, vault), connections=Connections(store, vault)),
        bundles=BundleCache(store, folder / "bundles"),
        environ={"PATH": os.environ["PATH"]},
        logs=folder / "logs",
    )
