"""Conditions on states that let the partial indexes of live rows be used.

A partial index serves only a statement whose own text implies the index's condition: so states are spelt out, not given
as parameters, and a set of them in the words and the order that `db/tables.py` uses.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, literal_column


def is_state(table: Table, state: str) -> ColumnElement[bool]:
    """Return the condition that a row is in this state, which an index of that one state serves."""
    return table.c.state == literal_column(f"'{state}'")


def is_one_of(table: Table, states: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a row is in one of these states, which an index of exactly those serves."""
    return table.c.state.in_([literal_column(f"'{state}'") for state in sorted(states)])
