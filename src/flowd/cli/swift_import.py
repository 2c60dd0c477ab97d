"""swift_import: loading a thousand modules without looking for garbage in them all the while."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def swift_import() -> Iterator[None]:
    """Keep the garbage collector away from what is imported in the context, then and for ever.

    A fifth of a node's start was collections of modules that live as long as the node. Frozen, they also no longer
    count in any later collection, each of which halts every role for as long as it takes.
    """
    known = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        gc.enable()
