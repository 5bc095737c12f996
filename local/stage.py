"""Starts and stops the stack for `make demo` and `make up`, and shows the progress on the screen."""

import argparse
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from local.processes.processes import Interrupted, StackError, interruptible, shown
from local.stack import Announce, FolderInUse, Stack
from shared.errors import UpdraftError

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, as in shells."""


def perform(act: Callable[[Stack, Console], None], *, make: Callable[[Announce], Stack]) -> int:
    """Start the stack, call a function with it, stop it, and print the error if there is one.

    Args:
        act: Called when all parts have started.
        make: Returns the stack; its argument is the function to call for each part that has started.

    Returns:
        The exit code: 0, 1 after a failure, 130 after Ctrl-C.
    """
    console = Console(highlight=False, soft_wrap=True)
    status = console.status("Airflow takes the longest; Ctrl-C stops everything")

    def announce(part: str, address: str, seconds: float) -> None:
        console.print(f"  [green]✓[/] {part:<18} [dim]{address:<44}[/] {seconds:5.1f} s")

    try:
        stack = make(announce)
        logs = f"[dim]logs in {shown(stack.logs)}[/]"
        console.print(f"[bold]Starting a real Airflow, and Azure's parts on this machine[/]  {logs}")
        with interruptible(), status, stack:
            status.stop()
            act(stack, console)
            console.print("\n[dim]Stopping everything …[/]")
    except Interrupted:
        console.print("\nInterrupted: everything is stopped.")
        return INTERRUPTED
    except (StackError, UpdraftError, OSError) as error:
        console.print(f"\n[bold red]✗[/] {escape(str(error))}")
        if not isinstance(error, FolderInUse):
            console.print("\n[dim]Everything else is stopped.[/]")
        return 1
    return 0


def add_airflow_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--airflow`, which selects the Airflow version."""
    parser.add_argument(
        "--airflow",
        choices=("", "next"),
        default="",
        help="the Airflow version to run: `next` is the pre-release in .venv-airflow-next",
    )
