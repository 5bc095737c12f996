"""Python's collector of reference cycles, which costs time while libraries are imported."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Import without collections, and exempt what exists afterwards from later ones.

    An import makes many objects that stay, and each collection walks through them again.
    `gc.freeze` marks them as staying (https://docs.python.org/3/library/gc.html#gc.freeze): otherwise the
    first collection afterwards would walk through all of them.

    For imports that happen once a process: a cycle that is garbage at that moment is never freed.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
