"""Sets the stage for `make demo` and `make up`: the stack comes up in front of a person, and goes again."""

import argparse
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from local.processes.processes import Interrupted, StackError, interruptible, shown
from local.stack import Announce, FolderInUse, Stack
from shared.errors import UpdraftError

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, as shells have it."""


def perform(act: Callable[[Stack, Console], None], *, make: Callable[[Announce], Stack]) -> int:
    """Start the stack, do something with it, stop it, and say plainly what went wrong if anything did.

    Args:
        act: What to do once everything is up.
        make: Makes the stack; it gets what the stack reports its parts to.

    Returns:
        The process's exit code: 0, 1 after a failure, 130 after Ctrl-C.
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
    """Give a command the option that chooses the Airflow."""
    parser.add_argument(
        "--airflow",
        choices=("", "next"),
        default="",
        help="the Airflow that is run: `next` is the pre-release in .venv-airflow-next",
    )
