"""Pauses Python's garbage collector, which costs time while libraries are imported."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Run imports without garbage collection, and exempt the objects that exist afterwards from later ones.

    An import makes many permanent objects, and each collection visits all of them.
    `gc.freeze` exempts them (https://docs.python.org/3/library/gc.html#gc.freeze).

    Use it once a process: a reference cycle that is garbage at that moment is never freed.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
