"""Text that every metastore can hold."""

from hypothesis import given
from hypothesis import strategies as st

from flowd.db.storable import storable


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_text_that_can_be_stored_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@given(st.text(st.characters()))
def test_any_text_becomes_text_without_nul_or_halves_of_characters(text: str) -> None:
    made = storable(text)

    assert "\0" not in made and made.encode().decode() == made


def test_what_was_replaced_can_be_seen() -> None:
    assert storable("a\0b\udcff") == "a\\x00b\\udcff"
