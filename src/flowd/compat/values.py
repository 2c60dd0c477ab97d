"""The functions on plain values of `airflow.utils.helpers` and `airflow.utils.strings`."""

import itertools
import re
import secrets
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from flowd.sdk.exceptions import AirflowException
from flowd.sdk.not_set import is_arg_set

T = TypeVar("T")

_KEY = re.compile(r"[\w.-]+")
_YES = {"t", "true", "y", "yes", "1", "on"}


def exactly_one(*values: Any) -> bool:
    """Return True where one of `values` counts as true; a list alone is a mistake for its items: ValueError."""
    if values and is_container(values[0]):
        raise ValueError(f"{values[0]!r} is a container; give its items one by one, with a star before it")
    return sum(map(bool, values)) == 1


def at_most_one(*values: Any) -> bool:
    """Return True where no more than one of `values` counts as true; one that was not given counts as false."""
    return sum(is_arg_set(value) and bool(value) for value in values) <= 1


def is_container(value: Any) -> bool:
    """Return True for what can be looped over and is no text."""
    return hasattr(value, "__iter__") and not isinstance(value, str)


def chunks(items: list[T], chunk_size: int) -> Iterator[list[T]]:
    """Yield `items` in lists of `chunk_size`, the last of which may be shorter."""
    if chunk_size <= 0:
        raise ValueError(f"chunk_size is {chunk_size}, wanted 1 or more")
    for start in range(0, len(items), chunk_size):
        yield items[start : start + chunk_size]


def as_flattened_list(iterable: Iterable[Iterable[T]]) -> list[T]:
    """Return the items of the items."""
    return list(itertools.chain.from_iterable(iterable))


def partition(predicate: Callable[[T], bool], iterable: Iterable[T]) -> tuple[Iterable[T], Iterable[T]]:
    """Return the items for which `predicate` does not hold, and those for which it does."""
    no, yes = itertools.tee(iterable)
    return itertools.filterfalse(predicate, no), filter(predicate, yes)


def merge_dicts(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return both dicts as one; `second` wins, and where both have a dict these are merged alike."""
    merged = dict(first)
    for key, value in second.items():
        mine = merged.get(key)
        merged[key] = merge_dicts(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def prune_dict(value: Any, mode: str = "strict") -> Any:
    """Return a dict or list without its empty items, however deep: those that are None, in mode `truthy` all false."""
    if mode not in ("strict", "truthy"):
        raise ValueError(f"mode is {mode!r}, wanted 'strict' or 'truthy'")
    if isinstance(value, dict):
        pairs = ((key, _pruned(item, mode)) for key, item in value.items())
        return {key: item for key, item in pairs if not _is_empty(item, mode)}
    if isinstance(value, list):
        return [item for item in (_pruned(item, mode) for item in value) if not _is_empty(item, mode)]
    return value


def convert_camel_to_snake(text: str) -> str:
    """Return `CamelCase` as `camel_case`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", text).lower()


def validate_key(key: str, max_length: int = 250) -> None:
    """Raise where `key` cannot be an id: too long, or with other characters than letters, digits, `_`, `.`, `-`."""
    if not isinstance(key, str):
        raise TypeError(f"the key is a {type(key).__name__}, wanted text")
    if len(key) > max_length:
        raise AirflowException(f"the key has {len(key)} characters, at most {max_length} wanted")
    if not _KEY.fullmatch(key):
        raise AirflowException(f"the key {key!r} may hold letters, digits, '_', '.' and '-' alone")


def to_boolean(text: str | None) -> bool:
    """Return True for `true`, `t`, `yes`, `y`, `on` and `1` in any case, False for all else."""
    return text is not None and text.lower() in _YES


def get_random_string(length: int = 8, choices: str = string.ascii_letters + string.digits) -> str:
    """Return `length` random characters of `choices`."""
    return "".join(secrets.choice(choices) for _ in range(length))


def _pruned(item: Any, mode: str) -> Any:
    return prune_dict(item, mode) if isinstance(item, (dict, list)) else item


def _is_empty(item: Any, mode: str) -> bool:
    return not item if mode == "truthy" else item is None
