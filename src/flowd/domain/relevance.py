"""Relevance: how well names answer what somebody typed into a search box."""

from collections.abc import Iterable, Sequence

MOST_WORDS = 8


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of what was typed, in lower case; those after the eighth are left out."""
    return tuple(text.casefold().split()[:MOST_WORDS])


def distance(words: Sequence[str], names: Iterable[str]) -> int | None:
    """Return how far these names of one thing are from the words; None where a word is in none of them.

    It is 0 where each word is a name. Nearer is a name that begins with the word, then one that has it at a joint, then
    one that has it anywhere.
    """
    folded = [name.casefold() for name in names]
    found = [_of_word(word, folded) for word in words]
    known = [one for one in found if one is not None]
    return sum(known) if len(known) == len(found) else None


def _of_word(word: str, names: Sequence[str]) -> int | None:
    return min((_of_name(word, name) for name in names if word in name), default=None)


def _of_name(word: str, name: str) -> int:
    if word == name:
        return 0
    at = name.find(word)
    if at == 0:
        return 1
    return 2 if not name[at - 1].isalnum() else 3
