"""Keys of one purpose each, derived from the secret that all nodes share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
ID_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class PurposeKey:
    """A key that serves one purpose; `id` names it in what it signed, and tells nothing of it."""

    id: str
    key: bytes = field(repr=False)


def derive_keys(secrets: Sequence[str], purpose: str) -> tuple[PurposeKey, ...]:
    """Return one key for each secret, in order: the first signs, all verify, so that secrets can be rotated.

    HKDF-SHA256 (RFC 5869) with the purpose as context: a key that leaks opens nothing of another purpose.
    """
    return tuple(_derive(secret, purpose) for secret in secrets)


def _derive(secret: str, purpose: str) -> PurposeKey:
    derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=b"flowd", info=purpose.encode())
    key = derivation.derive(secret.encode())
    return PurposeKey(sha256(b"id of " + key).hexdigest()[:ID_CHARACTERS], key)
