"""Encryption of what the metastore must not hold in clear."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from flowd.domain.errors import FlowdError, InvalidInput


class Sealed(FlowdError):
    """A stored secret that none of the configured keys opens."""


class Vault:
    """Encrypts with the first Fernet key and decrypts with all of them, so that keys can be rotated."""

    def __init__(self, fernet_keys: Sequence[str]) -> None:
        if not fernet_keys:
            raise InvalidInput("no key to encrypt with; set FLOWD__SECURITY__FERNET_KEY")
        self._fernet = MultiFernet([Fernet(key) for key in fernet_keys])

    def encrypt(self, text: str) -> str:
        """Return `text` sealed: authenticated, and different every time."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def decrypt(self, sealed: str, what: str) -> str:
        """Return the text; raise Sealed, naming `what`, where no key opens it or it was altered."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Sealed(self._advice(what)) from error

    def rotate(self, sealed: str, what: str) -> str:
        """Return the same text sealed with the first key; raise Sealed where no key opens it."""
        try:
            return self._fernet.rotate(sealed.encode()).decode("ascii")
        except InvalidToken as error:
            raise Sealed(self._advice(what)) from error

    def _advice(self, what: str) -> str:
        return (
            f"{what} was encrypted with a key that this node does not have; add that key to the end of"
            " FLOWD__SECURITY__FERNET_KEY (a comma list), or set the value anew"
        )
