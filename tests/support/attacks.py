"""A pytest plugin: how often an attack is repeated, and how Hypothesis runs.

`make test` runs the short form. `make attacks` sets UPDRAFT_ATTACKS=long: Hypothesis tries more examples,
and what asks `times` for a number gets the long one.
"""

import os
from typing import Final

from hypothesis import settings

LONG: Final = os.environ.get("UPDRAFT_ATTACKS") == "long"
"""Whether this run is `make attacks`."""
_PROFILE: Final = "tests"
_EXAMPLES: Final = 3_000


def times(short: int, long: int) -> int:
    """Return how often to repeat an attack: `short` in `make test`, `long` in `make attacks`.

    A test whose own `@settings` names `max_examples` asks this for the number. Others get the profile's.
    """
    return long if LONG else short


def pytest_configure() -> None:
    """Choose Hypothesis's profile before a test module is imported, as decorators read it then.

    No example has a deadline: a slow machine is not a mistake. Hypothesis then allows 30 s for making the
    first ten examples, where it allows one second otherwise.
    """
    current = settings()
    examples = _EXAMPLES if LONG else current.max_examples
    settings.register_profile(_PROFILE, current, deadline=None, max_examples=examples)
    settings.load_profile(_PROFILE)
