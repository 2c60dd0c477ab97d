"""Splitting SQL into its statements, at semicolons that are in no text, name, comment or dollar quote."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*'            # a text
  | "(?:[^"]|"")*"            # a name
  | `[^`]*`                   # a name in MySQL
  | --[^\n]*                  # a comment to the end of the line
  | /\*.*?\*/                 # a comment
  | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$   # a text in PostgreSQL
  | ;
    """,
    re.DOTALL | re.VERBOSE,
)


def split_statements(sql: str) -> list[str]:
    """Return the statements of `sql` without the semicolons between them; those of comments alone are left out."""
    return [text for text in map(str.strip, _parts(sql)) if re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.S).strip()]


def _parts(sql: str) -> Iterator[str]:
    begin = 0
    for token in _TOKEN.finditer(sql):
        if token.group() == ";":
            yield sql[begin : token.start()]
            begin = token.end()
    yield sql[begin:]
