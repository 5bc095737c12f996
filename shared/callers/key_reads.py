"""Limits of the threads that wait while keys are read.

Unauthenticated clients can send tokens with unknown keys, and each token may cause a read.
"""

from typing import Final

MOST_WAITING: Final = 2
"""The most threads that wait for another thread's read of keys; the others of the 32 do other work."""
BUSY: Final = 2.0
"""Seconds until a sender may try again if too many threads wait."""
