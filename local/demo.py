"""`make demo`: one App Service event goes all the way to a DAG run, and the way is told."""

import json
import os
import sys
import time
import urllib.error
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from cli.publish import publish
from local.functions_process import ROOT
from local.processes import Interrupted, StackError, interruptible, shown
from local.stack import STATE, Stack
from local.timeline import Told, moment, outcomes
from shared.errors import UpdraftError
from shared.json_types import JsonObject

EVENTS: Final = ROOT / "examples" / "events"
_EVENT_GRID: Final = "https://eventgrid.azure.net/.default"
_DELIVERED_WITHIN: Final = 30.0
_FINISHED_WITHIN: Final = 90.0


class Demo:
    """Publishes the events and tells what becomes of them.

    Args:
        stack: A stack that is up; its environment is this process's.
        console: Where the story goes.
    """

    def __init__(self, stack: Stack, console: Console) -> None:
        self._stack = stack
        self._console = console
        self._token = stack.airflow.token()

    def tell(self) -> None:
        """Tell the whole story.

        Raises:
            StackError: Something did not happen as it should.
        """
        event = fresh("slot_swap_completed.json")
        self._title("App Service swapped two slots", event)
        sent, told = self._publish(event, "started", count=1)
        self._started(sent, told, event, by="the webhook")

        self._title("Event Grid delivers the same event again", event)
        sent, told = self._publish(event, "duplicate", count=2)
        self._lines(told.since(sent), told, by="the webhook")
        runs = self._runs_for(told.dag, str(event["id"]))
        if len(runs) != 1:
            raise StackError("airflow", f"has {len(runs)} runs for event {event['id']}, and should have one")
        self._console.print(f"{'':11}Airflow has [bold]one run[/] for the two deliveries.")

        blob = fresh("blob_created.json")
        self._title("A file of orders is stored; its event takes the queue", blob)
        sent, told = self._publish(blob, "started", count=1)
        self._started(sent, told, blob, by="the Storage queue")

    def _publish(self, event: JsonObject, outcome: str, *, count: int) -> tuple[datetime, Told]:
        """Publish the event, and wait until `count` outcomes are known of it, the last one `outcome`."""
        sent = datetime.now(UTC)
        publish(event, self._stack.topic.endpoint)

        def told() -> list[Told]:
            return [line for line in outcomes(self._stack.app.log) if line.event == event["id"]]

        log = self._stack.app.log
        problem = f"nothing more was heard of event {event['id']} for {_DELIVERED_WITHIN:.0f} s"
        known = self._await(told, lambda lines: len(lines) >= count, _DELIVERED_WITHIN, problem, log)
        last = known[-1]
        if last.outcome != outcome:
            reason = f" ({last.reason})" if last.reason else ""
            raise StackError(
                "function app",
                f"the event ended as {last.outcome}{reason} instead of {outcome}; see {shown(log)}",
                log=log,
            )
        return sent, last

    def _started(self, sent: datetime, told: Told, event: JsonObject, *, by: str) -> None:
        self._lines(told.since(sent), told, by=by)
        path = f"/api/v2/dags/{told.dag}/dagRuns/{told.run}"

        def ask() -> dict[str, Any]:
            return self._stack.airflow.call("GET", path, token=self._token)

        problem = f"run {told.run} of {told.dag} did not end within {_FINISHED_WITHIN:.0f} s"
        log = self._stack.logs / "airflow-scheduler.log"
        run = self._await(
            ask, lambda run: run["state"] in {"success", "failed"}, _FINISHED_WITHIN, problem, log
        )
        for name, member, words in (
            ("running", "start_date", f"the DAG {told.dag}"),
            ("succeeded", "end_date", f"with conf {_short(run['conf'])}"),
        ):
            self._line((moment(run[member]) - sent).total_seconds() * 1000, name, words)
        if run["state"] != "success":
            raise StackError(
                "airflow", f"run {told.run} of {told.dag} failed; see {self._link(told)}", log=log
            )
        if len(self._runs_for(told.dag, str(event["id"]))) != 1:
            raise StackError("airflow", f"has more than one run for event {event['id']}")
        self._console.print(f"{'':11}[underline]{self._link(told)}[/]")

    def _runs_for(self, dag: str, event_id: str) -> list[dict[str, Any]]:
        listed = self._stack.airflow.call(
            "GET", f"/api/v2/dags/{dag}/dagRuns?limit=100&order_by=-run_after", token=self._token
        )
        return [
            run
            for run in listed["dag_runs"]
            if run["conf"].get("_updraft", {}).get("event", {}).get("id") == event_id
        ]

    def _await[T](
        self, ask: Callable[[], T], enough: Callable[[T], bool], seconds: float, problem: str, log: Path
    ) -> T:
        deadline = time.monotonic() + seconds
        while not enough(answer := ask()):
            if time.monotonic() > deadline:
                raise StackError("demo", f"{problem}; see {shown(log)}", log=log)
            time.sleep(0.05)
        return answer

    def _link(self, told: Told) -> str:
        return self._stack.airflow.run_link(told.dag, told.run)

    def _title(self, words: str, event: JsonObject) -> None:
        self._console.print(f"\n[bold]{words}[/]  [dim]{event['eventType']}  {event['id']}[/]")
        self._line(0, "published", "with the Event Grid client, as the managed identity")

    def _lines(self, moments: Sequence[tuple[str, float]], told: Told, *, by: str) -> None:
        words = {
            "received": f"by the function {told.function}, through {by}",
            "token": "for Airflow: the identity reads Key Vault, Airflow gives a bearer",
            "started": f"{told.run}",
            "duplicate": f"{told.run} is there already",
        }
        names = {"started": "run created"}
        for name, milliseconds in moments:
            self._line(milliseconds, names.get(name, name), words.get(name, ""))

    def _line(self, milliseconds: float, name: str, words: str) -> None:
        colour = {"succeeded": "green", "duplicate": "yellow"}.get(name, "cyan")
        number = f"{milliseconds:,.0f}".replace(",", " ")
        self._console.print(f"{number:>8} ms  [{colour}]{name:<12}[/] {escape(words)}")


def fresh(file: str) -> JsonObject:
    """Return one of the example events with an id of its own, as if it happened now."""
    event: JsonObject = json.loads((EVENTS / file).read_text())
    return event | {"id": str(uuid.uuid4()), "eventTime": datetime.now(UTC).isoformat()}


def announcer(console: Console) -> Callable[[str, str, float], None]:
    """Return what tells a person that a part of the stack is up."""

    def announce(part: str, address: str, seconds: float) -> None:
        console.print(f"  [green]✓[/] {part:<20} [dim]{address:<44}[/] {seconds:5.1f} s")

    return announce


def prepare_publisher(stack: Stack) -> None:
    """Do what is done once a process, before time is taken: load the client, get the identity's token."""
    os.environ.update(stack.environment)
    import azure.eventgrid  # noqa: F401, PLC0415 - loading it is the point

    from shared.credential import azure_credential  # noqa: PLC0415 - as above

    azure_credential().get_token(_EVENT_GRID)


def _short(conf: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in conf.items() if not name.startswith("_")})


def main() -> int:
    """Run the demo; returns the exit code: 0, 1 with the reason, or 130 after Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    console.print(
        f"[bold]Starting Azure's stand-ins and a real Airflow[/]  [dim]logs: {shown(STATE / 'logs')}[/]"
    )
    try:
        with (
            interruptible(),
            console.status("Airflow takes the longest") as status,
            Stack(announce=announcer(console)) as stack,
        ):
            status.stop()
            prepare_publisher(stack)
            Demo(stack, console).tell()
            console.print("\n[dim]Stopping everything[/]")
    except Interrupted:
        console.print("\nInterrupted; everything is stopped.")
        return 130
    except (StackError, UpdraftError, urllib.error.URLError) as error:
        console.print(f"\n[bold red]The demo failed.[/] {escape(str(error))}", style=None)
        return 1
    console.print(f"[bold green]Done[/] in {time.monotonic() - began:.0f} s. `make up` leaves it running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
