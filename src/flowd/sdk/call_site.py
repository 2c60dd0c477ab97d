"""Where in the author's code something was written."""

import sys
from pathlib import Path

_OWN = str(Path(__file__).parent.parent)


def calling_file() -> str:
    """Return the file of the nearest caller outside flowd."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return frame.f_code.co_filename
