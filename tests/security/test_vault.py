"""Encryption of what the metastore must not hold in clear."""

import pytest
from cryptography.fernet import Fernet

from flowd.domain.errors import InvalidInput
from flowd.security.vault import Sealed, Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_text_comes_back_and_is_never_sealed_the_same_way_twice() -> None:
    vault = Vault([OLD])
    sealed = [vault.encrypt("grüße") for _ in range(2)]

    assert [vault.decrypt(one, "x") for one in sealed] == ["grüße", "grüße"]
    assert sealed[0] != sealed[1]


def test_a_rotated_text_needs_the_new_key_only() -> None:
    sealed = Vault([OLD]).encrypt("text")

    assert Vault([NEW]).decrypt(Vault([NEW, OLD]).rotate(sealed, "x"), "x") == "text"


@pytest.mark.parametrize(
    "sealed", [Vault([OLD]).encrypt("text"), "damaged", ""], ids=["of another key", "damaged", "empty"]
)
def test_what_no_key_opens_is_named_with_advice(sealed: str) -> None:
    for action in (Vault([NEW]).decrypt, Vault([NEW]).rotate):
        with pytest.raises(Sealed, match=r"variable 'x' was encrypted with a key .* FLOWD__SECURITY__FERNET_KEY"):
            action(sealed, "variable 'x'")


def test_there_is_no_vault_without_a_key() -> None:
    with pytest.raises(InvalidInput, match="FLOWD__SECURITY__FERNET_KEY"):
        Vault([])
