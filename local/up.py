"""`make up`: the whole stack, left running until Ctrl-C."""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from local.processes import default_signals
from local.processes.private import write_private
from local.processes.processes import shown
from local.servers.airflow_auth import ADMIN
from local.stack import AIRFLOW_PORT, FUNCTIONS_PORT, STATE, Stack
from local.stage import INTERRUPTED, add_airflow_option, perform


def write_environment(stack: Stack) -> Path:
    """Write the app's settings as a file that a shell can source, and return its path.

    Its owner alone can read it: the identity endpoint's header is in it.
    """
    file = stack.folder / "env"
    settings = stack.environment.items()
    write_private(file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings))
    return file


def show(stack: Stack, console: Console) -> None:
    """Print what a person needs: the addresses, the login, and a line to paste."""
    environment = write_environment(stack)
    for part, url, wanted in (
        ("Functions", stack.app.url, FUNCTIONS_PORT),
        ("Airflow", stack.airflow.url, AIRFLOW_PORT),
    ):
        if not url.endswith(f":{wanted}"):
            console.print(f"  [yellow]Port {wanted} is taken: {part} is at {url}[/]")
    login = f"{ADMIN} / {stack.airflow.passwords[ADMIN]}"
    console.print(
        f"\n[bold]Airflow[/]       {stack.airflow.url}   login {escape(login)}"
        f"\n[bold]Function app[/]  {stack.app.url}/api/health"
        f"\n[bold]Logs[/]          {shown(stack.logs)}"
        "\n\nIn another terminal:\n"
        f"  source {shown(environment)}\n"
        "  .venv/bin/updraft publish --new examples/events/slot_swap_completed.json"
        "\n\nCtrl-C stops everything."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stack; returns the exit code: 0 after Ctrl-C, 1 if a part did not start or has died."""
    parser = argparse.ArgumentParser(prog="python -m local.up", description=__doc__)
    parser.add_argument(
        "--host", choices=("local", "func"), default="local", help="what runs the function app"
    )
    add_airflow_option(parser)
    parser.add_argument("--state", type=Path, default=STATE, help="the folder for state and logs")
    options = parser.parse_args(arguments)

    def stay(stack: Stack, console: Console) -> None:
        show(stack, console)
        while True:
            stack.processes.check()
            time.sleep(1)

    code = perform(stay, folder=options.state, host=options.host, airflow=options.airflow)
    return 0 if code == INTERRUPTED else code


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
