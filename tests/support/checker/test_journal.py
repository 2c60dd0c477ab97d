"""Journals read back what was written, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.checker.evidence import JournalLine, Outcome, TaskKey, Word
from tests.support.checker.journal import UnreadableJournal, journal_line, parse_journal, parse_requests

NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=12)


@given(
    st.lists(
        st.builds(
            JournalLine,
            number=st.just(0),
            word=st.sampled_from(Word),
            at_ns=st.integers(0, 2**63),
            task=st.builds(TaskKey, NAMES, NAMES, NAMES, st.integers(-1, 99)),
            try_number=st.integers(1, 99),
            token=st.text("0123456789abcdef", min_size=32, max_size=32),
            pid=st.integers(1, 2**22),
        )
    )
)
def test_what_a_task_writes_is_what_is_read(lines: list[JournalLine]) -> None:
    text = "".join(journal_line(line) + "\n" for line in lines)

    assert [journal_line(line) for line in parse_journal(text)] == [journal_line(line) for line in lines]


def test_lines_are_numbered_from_one() -> None:
    lines = parse_journal("begin 1 d r t -1 1 tok 7\nend 2 d r t -1 1 tok 7\n")

    assert [line.number for line in lines] == [1, 2]


@pytest.mark.parametrize("text", ["begin", "begin x d r t -1 1 tok 7", "start 1 d r t -1 1 tok 7", ""])
def test_a_line_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UnreadableJournal, match="line 2 is"):
        parse_journal(f"begin 1 d r t -1 1 tok 7\n{text}\n")


def test_a_request_without_an_answer_names_no_run() -> None:
    told = parse_requests("ok 1 k1 d r\nunknown 2 k2 d -\n")

    assert [(one.outcome, one.run_id) for one in told] == [(Outcome.OK, "r"), (Outcome.UNKNOWN, None)]


def test_a_request_that_is_none_is_named() -> None:
    with pytest.raises(UnreadableJournal, match="line 1 is 'perhaps 1 k1 d r'"):
        parse_requests("perhaps 1 k1 d r\n")
