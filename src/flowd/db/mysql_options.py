"""What the URL of a MySQL or MariaDB metastore may say behind its `?`, and what that means for TLS."""

import ssl
from collections.abc import Mapping

from sqlalchemy.engine import URL

from flowd.domain.errors import InvalidInput

_OPTIONS = ("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "unix-socket")
_TLS_MODES = ("disabled", "required", "verify-ca", "verify-identity")


def tls_of(url: URL) -> ssl.SSLContext | None:
    """Return how the URL wants its connections encrypted, None for not at all; raise InvalidInput for what it cannot.

    `ssl-mode` is the server's own word: disabled, required (encrypted, to whomever), verify-ca, verify-identity. With
    an `ssl-ca` it is verify-identity where nothing else is said.
    """
    options = options_of(url)
    mode = options.get("ssl-mode", "verify-identity" if "ssl-ca" in options else "disabled").lower().replace("_", "-")
    if mode not in _TLS_MODES:
        raise InvalidInput(f"the metastore's URL has ssl-mode={mode}; wanted one of {', '.join(_TLS_MODES)}")
    if mode == "disabled":
        return None
    try:
        context = ssl.create_default_context(cafile=options.get("ssl-ca"))
        if certificate := options.get("ssl-cert"):
            context.load_cert_chain(certificate, options.get("ssl-key"))
    except OSError as error:  # ssl.SSLError is one
        raise InvalidInput(f"the certificates that the metastore's URL names cannot be read: {error}") from error
    context.check_hostname = mode == "verify-identity"
    context.verify_mode = ssl.CERT_NONE if mode == "required" else ssl.CERT_REQUIRED
    return context


def options_of(url: URL) -> Mapping[str, str]:
    """Return the options by name, spelt with dashes; raise InvalidInput for one that flowd does not know."""
    options = {name.replace("_", "-"): value for name, value in url.query.items() if name != "charset"}
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise InvalidInput(
            f"the metastore's URL has the option {unknown[0]!r}; for MySQL and MariaDB wanted {', '.join(_OPTIONS)}"
        )
    return {name: value if isinstance(value, str) else value[-1] for name, value in options.items()}
