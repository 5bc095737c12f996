"""`make up`: starts the whole stack, which runs until Ctrl-C."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from local.control import Control, how_to_start, part_of_program
from local.dags_watch import DagsWatch
from local.paths import ROOT
from local.processes import default_signals
from local.processes.private import write_private
from local.processes.processes import Process, shown
from local.rules_watch import RulesWatch, count_rules, why_no_start
from local.servers.airflow_auth import ADMIN
from local.servers.airflow_process import EXAMPLE_DAGS
from local.stack import AIRFLOW_PORT, FUNCTIONS_PORT, STATE, Announce, Stack
from local.stage import INTERRUPTED, add_airflow_option, perform
from shared.settings import RULES_FILE, Settings

OWN_DAGS: Final = ROOT / "dags"
"""Where a person's own DAG files go; git and `func azure functionapp publish` leave it out."""


def write_environment(stack: Stack) -> Path:
    """Write the app's settings into a file for `updraft --local`, and return its path.

    A shell can read it too. Its owner alone can read it: the identity endpoint's header is in it.
    """
    file = stack.folder / "env"
    settings = {
        **stack.app.settings(stack.environment),
        RULES_FILE: str(Settings.of({**os.environ, **stack.environment}).rules_file),
        **stack.certificates.environment_of_a_shell(),
    }
    write_private(file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))
    return file


def show(stack: Stack, console: Console) -> None:
    """Print what a person needs: the files, the addresses, the login, and lines to paste."""
    write_environment(stack)
    for part, url, wanted in (
        ("Functions", stack.app.url, FUNCTIONS_PORT),
        ("Airflow", stack.airflow.url, AIRFLOW_PORT),
    ):
        if not url.endswith(f":{wanted}"):
            console.print(f"  [yellow]Port {wanted} is taken: {part} is at {url}[/]")
    settings = Settings.of({**os.environ, **stack.environment})
    login = f"{ADMIN} / {stack.airflow.passwords[ADMIN]}"
    own = (
        f"\n              {escape(shown(stack.own_dags))}/ (your own; Airflow finds a new file within 10 s)"
        if stack.own_dags
        else ""
    )
    groups = f" ({stack.app.process_count} processes, as on Flex Consumption)"
    console.print(
        f"\n[bold]Rules[/]         {escape(shown(settings.rules_file))} ({count_rules(settings)}); "
        "a change is loaded when you save it"
        f"\n[bold]DAGs[/]          {shown(EXAMPLE_DAGS)}/ (the examples){own}"
        f"\n[bold]Airflow[/]       {stack.airflow.url}   login {escape(login)}"
        f"\n[bold]Function app[/]  {stack.app.url}/api/health{groups if stack.app.process_count > 1 else ''}"
        f"\n[bold]Logs[/]          {shown(stack.logs)}/; of the last run: {shown(stack.logs)}.previous/"
        f"\n[bold]State[/]         {shown(stack.folder)}/; it is kept. `make up ANEW=1` begins with empty "
        "queues and an empty Airflow"
        "\n\nIn another terminal:\n"
        "  .venv/bin/updraft --local publish --new examples/events/slot_swap_completed.json\n"
        "  .venv/bin/updraft --local hook github examples/hooks/github.json    # or kudu, azure-devops, acr\n"
        "  make airflow-stop    # rehearse an outage; make airflow-start ends it"
        "\n\ndocs/local.md shows your first own DAG and rule. Ctrl-C stops everything."
    )


def stay(stack: Stack, console: Console) -> None:
    """Report what happens to parts, rules and DAG files, and do what `python -m local.part` asks for."""
    rules, dags = RulesWatch(stack), DagsWatch(stack.airflow)
    try:
        with Control(stack) as control:
            show(stack, console)
            while True:
                for process in stack.processes.ended():
                    console.print(f"\n[bold red]✗[/] {escape(_told(process))}")
                for line in (rules.look(), dags.look(), control.serve(0.5)):
                    if line:
                        console.print(f"\n{escape(line)}")
    finally:
        (stack.folder / "env").unlink(missing_ok=True)


def _told(process: Process) -> str:
    """Return the message about a program that ended unexpectedly."""
    start = how_to_start(part_of_program(process.name))
    return (
        f"{process.name} ended by itself with code {process.poll()}. "
        f"The rest goes on. {start} starts it again.\nThe end of {shown(process.log)}:\n{process.tail(3)}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stack; returns the exit code: 0 after Ctrl-C, 1 if a part did not start."""
    parser = argparse.ArgumentParser(prog="python -m local.up", description=__doc__)
    parser.add_argument(
        "--host", choices=("local", "func"), default="local", help="what runs the function app"
    )
    parser.add_argument(
        "--flex", action="store_true", help="each function group is a process, as on Flex Consumption"
    )
    parser.add_argument(
        "--anew", action="store_true", help="remove the queues, dead letters and Airflow's database first"
    )
    parser.add_argument("--dags", type=Path, default=OWN_DAGS, help="the folder with your own DAGs")
    add_airflow_option(parser)
    parser.add_argument("--state", type=Path, default=STATE, help="the folder for state and logs")
    options = parser.parse_args(arguments)

    def make(announce: Announce) -> Stack:
        return Stack(
            options.state,
            host=options.host,
            flex=options.flex,
            keep=True,
            anew=options.anew,
            every_dag=True,
            own_dags=options.dags,
            airflow_edition=options.airflow,
            announce=announce,
        )

    if why := why_no_start():
        Console(highlight=False, soft_wrap=True).print(f"[bold red]✗[/] {escape(why)}")
        return 1
    code = perform(stay, make=make)
    return 0 if code == INTERRUPTED else code


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
