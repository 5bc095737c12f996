"""Stop or start one part of a running `make up`, or show whether it runs."""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.control import ACTIONS, HEADER, PARTS, address
from local.processes import default_signals
from local.processes.processes import StackError, shown
from local.stack import STATE

_PATIENCE: Final = 240.0
"""Seconds to wait for the result; Airflow has 180 to start."""


def ask(folder: Path, part: str, action: str) -> str:
    """Ask a running stack to stop or start a part, and return its answer.

    Args:
        folder: The stack's state folder.
        part: One of `PARTS`.
        action: One of `ACTIONS`.

    Raises:
        StackError: No stack runs in the folder, or the part did not start.
    """
    url, secret = address(folder)
    request = urllib.request.Request(f"{url}/{part}/{action}", headers={HEADER: secret}, method="POST")  # noqa: S310 - our own loopback
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
            return str(json.load(answer)["result"])
    except urllib.error.HTTPError as error:
        with error:
            raise StackError(part, str(json.load(error)["error"])) from None
    except OSError:
        raise StackError(
            "stack", f"the stack in {shown(folder)} has ended; start it with `make up`"
        ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Send one request, and return the exit code: 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m local.part", description=__doc__)
    parser.add_argument("action", choices=ACTIONS, help="stop it, start it, or show whether it runs (status)")
    parser.add_argument("part", choices=PARTS, help="airflow (with its database), app or storage (queues)")
    parser.add_argument("--state", type=Path, default=STATE, help="the state folder of the stack (.updraft)")
    options = parser.parse_args(arguments)
    if options.action == "start":
        print("This takes up to a minute …", file=sys.stderr)
    try:
        print(ask(options.state, options.part, options.action))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
