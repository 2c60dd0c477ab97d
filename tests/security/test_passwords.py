"""Passwords, kept as hashes."""

import pytest

from flowd.domain.errors import InvalidInput
from flowd.security.account_role import AccountRole
from flowd.security.passwords import hash_password, is_password


def test_a_password_fits_its_hash_and_no_other() -> None:
    hashed = hash_password("correct horse")

    assert is_password("correct horse", hashed)
    assert not is_password("correct hors", hashed)
    assert hash_password("correct horse") != hashed


@pytest.mark.parametrize("hashed", [None, "", "damaged", "$argon2id$v=19$damaged"])
def test_no_password_fits_what_is_no_hash(hashed: str | None) -> None:
    assert not is_password("the password of nobody", hashed)


@pytest.mark.parametrize("password", ["", "x" * 1001])
def test_an_empty_and_an_endless_password_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput, match="wanted 1 to 1000"):
        hash_password(password)


def test_each_role_includes_those_before_it() -> None:
    roles = list(AccountRole)

    assert [[one.includes(other) for other in roles] for one in roles] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]


def test_a_role_is_named_in_any_case() -> None:
    assert AccountRole.parse(" admin ") is AccountRole.ADMIN
    with pytest.raises(InvalidInput, match="'God' is no role; wanted one of Viewer, User, Op, Admin"):
        AccountRole.parse("God")
