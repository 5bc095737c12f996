"""Bounds on the threads that wait while keys are read.

Anybody can send a token under an unknown key, and each of them may cause a read.
"""

from typing import Final

MOST_WAITING: Final = 2
"""Threads that wait for a read of keys by another thread; the other ones of the 32 go on with other work."""
BUSY: Final = 2.0
"""Seconds until a sender may come again whose thread would have been one too many to wait."""
