"""The folders for state and logs of the tests' services."""

import os
from typing import Final

from local.stack import STATE

STATE_OF_TESTS: Final = STATE / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "single")
"""This process's folder: each worker of pytest-xdist has its own, so that no two use one database."""
