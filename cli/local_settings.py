"""`updraft --local`: the settings of the stack that `make up` started, for this one command."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import SettingsError

if TYPE_CHECKING:
    import click

LOCAL: Final = "cli.local"
"""The member of a click context's `meta` that is true if the command line has `--local`."""
LOCAL_HELP: Final = "use the settings of the stack that `make up` started"
"""The help of `--local`."""
FILE: Final = Path(__file__).resolve().parent.parent / ".updraft" / "env"
"""Where `make up` writes its settings while it runs (`local/up.py`)."""

APP_LOG: Final = ".updraft/logs/function-app*.log"
"""The log of the local app, in the repository; with several processes, each has its own (docs/local.md)."""


def go_local(context: "click.Context") -> None:
    """Use the settings of the local stack for a call, and record that for the commands in its messages.

    Args:
        context: A click context of the call.

    Raises:
        SettingsError: No local stack runs.
    """
    use_local_settings()
    context.meta[LOCAL] = True


def use_local_settings() -> None:
    """Put the local stack's settings into this process's environment; the shell's environment stays.

    `FILE` has lines of `export NAME=VALUE`, quoted as for a shell.

    Raises:
        SettingsError: No local stack runs.
    """
    try:
        text = FILE.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            "--local needs the local stack, which does not run; start it with: make up"
        ) from None
    for word in shlex.split(text):
        name, equals, value = word.partition("=")
        if equals:
            os.environ[name] = value
