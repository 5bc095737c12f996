"""The version of this app, as status, logs and the command line show it."""

from typing import Final

VERSION: Final = "0.1.0"
