"""Groups of a log as folds."""

from collections.abc import Sequence

import pytest

from flowd.api.dashboard.log_folds import Fold, folded
from flowd.logs.reader import LogLine, LogStream


def shape(lines: Sequence[LogLine | Fold]) -> list[object]:
    """Texts; a fold as its name, with * where it is open, and what is in it."""
    return [(one.name + "*" * one.is_open, shape(one.lines)) if isinstance(one, Fold) else one.text for one in lines]


def of(*texts: str) -> Sequence[LogLine | Fold]:
    return folded(
        LogLine(at=None, stream=LogStream.STDOUT, text=text, start=number) for number, text in enumerate(texts)
    )


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["a", "::group::g", "b", "::endgroup::", "c"], ["a", ("g", ["b"]), "c"]),
        (["::group::g", "b"], [("g*", ["b"])]),
        (["b", "::endgroup::", "c"], ["b", "c"]),
        (["::group::g", "::group::h", "b", "::endgroup::", "c", "::endgroup::"], [("g", [("h", ["b"]), "c"])]),
        (["::group::g", "::group::h", "b"], [("g*", [("h*", ["b"])])]),
        (["[x] {f.py:3} INFO - ::group::Pre task", "b", "INFO - ::endgroup::"], [("Pre task", ["b"])]),
        (["##[group]g", "b", "##[endgroup]"], [("g", ["b"])]),
        (["say ::group::no", "::endgroup:: no"], ["say ::group::no", "::endgroup:: no"]),
        ([], []),
    ],
)
def test_groups_are_folds(texts: list[str], wanted: list[object]) -> None:
    assert shape(of(*texts)) == wanted


def test_a_fold_knows_its_first_byte_and_how_long_it_is() -> None:
    (fold,) = of("::group::g", "a", "::group::h", "b", "::endgroup::", "::endgroup::")

    assert isinstance(fold, Fold) and (fold.head.start, fold.length) == (0, 2)
