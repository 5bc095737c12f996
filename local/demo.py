"""`make demo`: App Service events start DAG runs, and the screen shows each step with its time."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from cli.follow.timeline import markup, milliseconds_since, run_moments
from cli.publish.outgoing import Outgoing, read_outgoing, renewed
from cli.publish.topic import SCOPE, send
from local.paths import ROOT
from local.processes import default_signals
from local.processes.processes import StackError, shown
from local.stack import STATE, Announce, Stack
from local.stage import add_airflow_option, perform
from local.timeline import Told, last_error, outcomes, reported
from shared.settings import RULES_FILE

EVENTS: Final = ROOT / "examples" / "events"
EXAMPLE_RULES: Final = ROOT / "examples" / "rules.yaml"
"""The demo's own rules, so that its output does not depend on the operator's rules.yaml."""
_DELIVERED_WITHIN: Final = 30.0
_FINISHED_WITHIN: Final = 90.0
_REPORTED_WITHIN: Final = 30.0


class Demo:
    """Publishes the events and shows their results.

    Args:
        stack: A running stack; this process has its environment.
        console: The screen.
    """

    def __init__(self, stack: Stack, console: Console) -> None:
        self._stack = stack
        self._console = console
        self._token = stack.airflow.token()

    def tell(self) -> None:
        """Publish all events of the demo, and show what happens to each.

        Raises:
            StackError: A step failed, or took too long.
        """
        swap = fresh("slot_swap_completed.json")
        self._title("App Service swapped the slot staging into production", swap)
        self._follow(*self._publish(swap, "started", deliveries=1), by="the webhook")

        self._title("Event Grid delivers the same event once more", swap)
        sent, told = self._publish(swap, "duplicate", deliveries=2)
        self._lines(sent, told, by="the webhook")
        self._see_one_run(told)
        self._console.print(f"{'':12}Airflow has [bold]one run[/] for the two deliveries.")

        blob = fresh("blob_created.json")
        self._title("A file of orders was stored: its event takes the queue", blob)
        self._follow(*self._publish(blob, "started", deliveries=1), by="the Storage queue")

    def _publish(self, event: Outgoing, outcome: str, *, deliveries: int) -> tuple[datetime, Told]:
        """Publish the event, and wait for one outcome per delivery, the last one `outcome`."""
        log = self._stack.app.log
        sent = datetime.now(UTC)
        send([event], self._stack.topic.endpoint)
        self._line(0, "published", "to the Event Grid topic, as the managed identity")
        deadline = time.monotonic() + _DELIVERED_WITHIN
        while len(known := [told for told in outcomes(log) if told.event == event.event.id]) < deliveries:
            if time.monotonic() > deadline:
                what = (
                    last_error(log) or f"the log has no outcome of the event after {_DELIVERED_WITHIN:.0f} s"
                )
                raise StackError("function app", f"{what}. See {shown(log)}", log=log)
            time.sleep(0.05)
        last = known[-1]
        if last.outcome != outcome:
            reason = f" ({last.reason})" if last.reason else ""
            what = f"the event ended as {last.outcome}{reason} instead of {outcome}"
            raise StackError("function app", f"{what}. See {shown(log)}", log=log)
        return sent, last

    def _follow(self, sent: datetime, told: Told, *, by: str) -> None:
        """Show how the run was started, and how it ended."""
        self._lines(sent, told, by=by)
        log = self._stack.logs / "airflow-scheduler.log"
        deadline = time.monotonic() + _FINISHED_WITHIN
        path = f"/api/v2/dags/{told.dag}/dagRuns/{told.run}"
        while (run := self._stack.airflow.call("GET", path, token=self._token))["end_date"] is None:
            if time.monotonic() > deadline:
                what = f"run {told.run} of {told.dag} is {run['state']} after {_FINISHED_WITHIN:.0f} s"
                raise StackError("airflow", f"{what}. See {shown(log)}", log=log)
            time.sleep(0.1)
        moments = [(each.at, each.name, each.words) for each in run_moments(run) if each.name != "started"]
        if "callback" in run["conf"]["_updraft"]:
            moments.append((self._reported(told), "reported", "back to the app, with the run's own token"))
        for when, name, words in sorted(moments):
            self._line(milliseconds_since(sent, when), name, words)
        link = self._stack.airflow.run_link(told.dag, told.run)
        if run["state"] != "success":
            raise StackError("airflow", f"run {told.run} of {told.dag} failed: {link}", log=log)
        self._see_one_run(told)
        self._console.print(f"{'':12}[underline]{link}[/]")

    def _reported(self, told: Told) -> datetime:
        """Wait until the run has reported its result to the app, and return the time of the report."""
        log = self._stack.app.log
        deadline = time.monotonic() + _REPORTED_WITHIN
        while (heard := reported(log, told.run)) is None:
            if time.monotonic() > deadline:
                what = f"run {told.run} of {told.dag} did not report its result"
                raise StackError("airflow", f"{what}. See {shown(log)}", log=log)
            time.sleep(0.05)
        return heard

    def _see_one_run(self, told: Told) -> None:
        """Check that exactly one run of the DAG, with any id, names the event."""
        path = f"/api/v2/dags/{told.dag}/dagRuns?limit=100&order_by=-run_after"
        listed = self._stack.airflow.call("GET", path, token=self._token)["dag_runs"]
        runs = [
            run
            for run in listed
            if (run["conf"] or {}).get("_updraft", {}).get("event", {}).get("id") == told.event
        ]
        if len(runs) != 1:
            raise StackError("airflow", f"has {len(runs)} runs for event {told.event} instead of one")

    def _title(self, words: str, event: Outgoing) -> None:
        self._console.print(f"\n[bold]{words}[/]\n[dim]{event.event.type}, event {event.event.id}[/]")

    def _lines(self, sent: datetime, told: Told, *, by: str) -> None:
        words = {
            "received": f"by the function {told.function}, through {by}",
            "token": "as the managed identity, from Entra",
            "started": f"rule {told.rule} started the DAG {told.dag}",
            "duplicate": "Airflow has this very run already",
        }
        for name, milliseconds in told.since(sent):
            self._line(milliseconds, name, words.get(name, ""))

    def _line(self, milliseconds: float, name: str, words: str) -> None:
        self._console.print(markup(milliseconds, name, words))


def fresh(file: str) -> Outgoing:
    """Return one of the example events with a new id and the present time."""
    (event,) = read_outgoing((EVENTS / file).read_bytes())
    return renewed(event)


def prepare_publisher(stack: Stack) -> None:
    """Load the client and get a token, so that the times of the events do not include these steps."""
    os.environ.update(stack.environment)
    from shared.azure.credential import azure_credential

    azure_credential().get_token(SCOPE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit code: 0, 1 with the reason on the screen, or 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    add_airflow_option(parser)
    parser.add_argument("--state", type=Path, default=STATE, help="the folder for state and logs")
    options = parser.parse_args(arguments)
    began = time.monotonic()

    def tell(stack: Stack, console: Console) -> None:
        prepare_publisher(stack)
        Demo(stack, console).tell()

    def make(announce: Announce) -> Stack:
        return Stack(
            options.state,
            every_dag=True,
            airflow_edition=options.airflow,
            settings={RULES_FILE: str(EXAMPLE_RULES)},
            announce=announce,
        )

    code = perform(tell, make=make)
    if code == 0:
        print(f"Done in {time.monotonic() - began:.0f} s. `make up` leaves the stack running.")
    return code


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
