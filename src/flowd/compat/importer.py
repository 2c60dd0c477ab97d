"""Who imports a module, and whether an ImportError is what they are ready for."""

import ast
import linecache
import sys
from types import FrameType

_INSTALLED = ("site-packages", "dist-packages")
_FINDER = "flowd.compat.finder"
_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def expects_failure() -> bool:
    """Return True where the import under way is in a library, or in a `try` that catches its failure.

    Such code has something else to do where a provider is not installed; a stub would keep it from that.
    """
    frame = _importing_frame()
    if frame is None:
        return False
    file = frame.f_code.co_filename
    return any(folder in file for folder in _INSTALLED) or _is_tried(file, frame.f_lineno)


def _importing_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and ("importlib" in frame.f_code.co_filename or frame.f_globals.get("__name__") == _FINDER):
        frame = frame.f_back
    return frame


def _is_tried(file: str, line: int) -> bool:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return False
    return any(
        isinstance(node, ast.Try)
        and node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0)
        and any(_catches(handler) for handler in node.handlers)
        for node in ast.walk(tree)
    )


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in _CAUGHT) for kind in kinds)
