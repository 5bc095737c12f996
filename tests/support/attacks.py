"""A pytest plugin: how often an attack is repeated.

`make test` runs the short form. `make attacks` sets UPDRAFT_ATTACKS=long: Hypothesis tries more examples,
and what asks `times` for a number gets the long one.
"""

import os
from typing import Final

LONG: Final = os.environ.get("UPDRAFT_ATTACKS") == "long"
"""Whether this run is `make attacks`."""
_PROFILE: Final = "attacks"
_EXAMPLES: Final = 3_000


def times(short: int, long: int) -> int:
    """Return how often to repeat an attack: `short` in `make test`, `long` in `make attacks`.

    A test whose own `@settings` names `max_examples` asks this for the number. Others get the profile's.
    """
    return long if LONG else short


def pytest_configure() -> None:
    """Choose Hypothesis's profile before a test module is imported, as decorators read it then."""
    if LONG:
        from hypothesis import settings  # noqa: PLC0415 - costs a second that the other runs do not pay

        settings.register_profile(_PROFILE, settings(deadline=None), max_examples=_EXAMPLES)
        settings.load_profile(_PROFILE)
