"""How well names answer what somebody typed."""

import pytest

from flowd.domain.relevance import MOST_WORDS, distance, words_of


@pytest.mark.parametrize(
    ("text", "names", "wanted"),
    [
        ("etl", ["etl"], 0),
        ("ETL", ["Etl"], 0),
        ("etl", ["etl_sales"], 1),
        ("etl", ["sales_etl"], 2),
        ("etl", ["petals", "beetle"], 3),
        ("etl", ["sales", "etl"], 0),
        ("sales etl", ["sales_etl"], 3),
        ("sales x", ["sales_etl"], None),
        ("", ["anything"], 0),
    ],
)
def test_a_name_is_the_nearer_the_more_of_it_was_typed(text: str, names: list[str], wanted: int | None) -> None:
    assert distance(words_of(text), names) == wanted


def test_so_many_words_are_heeded_and_no_more() -> None:
    assert words_of("a " * MOST_WORDS + "never") == ("a",) * MOST_WORDS
