"""Rows of text as a table: aligned for a terminal, or in Markdown."""

from collections.abc import Sequence

Row = tuple[str, ...]


def aligned(rows: Sequence[Row]) -> str:
    """Return the rows with their columns under each other and a line below the first."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    head, *body = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body])
