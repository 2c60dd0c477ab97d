"""Keys of one purpose each."""

from flowd.security.keys import derive_keys


def test_each_secret_and_each_purpose_has_a_key_of_its_own_that_is_always_the_same() -> None:
    keys = [*derive_keys(["one", "two"], "tokens"), *derive_keys(["one", "two"], "messages")]

    assert len({key.key for key in keys}) == len({key.id for key in keys}) == 4
    assert all(len(key.key) == 32 for key in keys)
    assert derive_keys(["one"], "tokens")[0] == keys[0]


def test_a_key_is_not_shown() -> None:
    (key,) = derive_keys(["one"], "tokens")

    assert repr(key) == f"PurposeKey(id={key.id!r})"
    assert key.id not in key.key.hex()
