"""Passwords, kept as argon2id hashes. Both functions take some 50 ms of CPU by design: async callers use a thread."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flowd.domain.errors import InvalidInput

LONGEST_PASSWORD = 1000

_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the argon2id hash, with its salt and costs; raise InvalidInput for an empty or an endless password."""
    if not password or len(password) > LONGEST_PASSWORD:
        raise InvalidInput(f"a password of {len(password)} characters; wanted 1 to {LONGEST_PASSWORD}")
    return _HASHER.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """True where the hash is of this password. Without a hash it takes as long, so that nobody learns who exists."""
    try:
        is_right = _HASHER.verify(password_hash or _hash_of_nobody(), password[:LONGEST_PASSWORD])
        return is_right and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hash_of_nobody() -> str:
    return _HASHER.hash("the password of nobody")
