"""ansi: a line of a log in its terminal's colours, as classes of the style sheet."""

import re

from markupsafe import Markup, escape

_ESCAPE = re.compile(r"\x1b\[([\d;:]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_BOLD, _DIM, _ITALIC, _UNDERLINE = 1, 2, 3, 4
_STYLES = {_BOLD: "bold", _DIM: "dim", _ITALIC: "italic", _UNDERLINE: "underline"}
_OFF = {22: {"bold", "dim"}, 23: {"italic"}, 24: {"underline"}}
_EXTENDED = (38, 48)


def ansi(text: str) -> Markup:
    """Return the text escaped, with its colours and weights as spans; every other control sequence is left out."""
    if "\x1b" not in text:
        return escape(text)
    out: list[str] = []
    styles: set[str] = set()
    at = 0
    for found in _ESCAPE.finditer(text):
        out.append(_span(text[at : found.start()], styles))
        at = found.end()
        if found[2] == "m":
            styles = _after(styles, [int(code or 0) for code in re.split("[;:]", found[1])])
    out.append(_span(text[at:], styles))
    return Markup("".join(out))


def _span(text: str, styles: set[str]) -> str:
    if not text or not styles:
        return str(escape(text))
    return f'<span class="{" ".join(sorted(styles))}">{escape(text)}</span>'


def _after(styles: set[str], codes: list[int]) -> set[str]:
    styles = set(styles)
    while codes:
        code = codes.pop(0)
        if code == 0:
            styles = set()
        elif code in _EXTENDED:
            # 256 colours and 24 bits: the style sheet has the sixteen of old, and leaves these as they are.
            del codes[: 2 if codes[:1] == [5] else 4]
        elif code in _STYLES:
            styles.add(_STYLES[code])
        elif code in _OFF:
            styles -= _OFF[code]
        elif 30 <= code <= 37 or 90 <= code <= 97 or code == 39:
            styles = {one for one in styles if not one.startswith("a3")}
            if code != 39:
                styles.add(f"a3{code % 10}")
    return styles
