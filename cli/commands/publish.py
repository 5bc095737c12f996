"""`updraft publish FILE`: send events to an Event Grid topic, and follow them to their runs."""

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from cli.explain.explained import read_body
from cli.options import FILE, json_option, rules_option
from cli.output import print_error, print_json, printable
from shared.errors import EventError, StorageUnavailable, UpdraftError
from shared.values.app_settings import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.follow.expected_runs import ExpectedRun
    from cli.follow.following import Followed, NewLetters
    from cli.follow.run_lookup import RunLookup
    from cli.follow.timeline import Moment
    from cli.publish.outgoing import Outgoing
    from shared.values.json_text import JsonObject

TIMEOUT: Final = 300.0


@click.command(
    "publish",
    help="Send the events of a file to an Event Grid topic, each as it stands in the file, as this process's "
    "identity, which needs the role EventGrid Data Sender on the topic. The file holds an event, an array of "
    "events, or one event a line, all in Event Grid's schema or all CloudEvents. The `topic` of an event is "
    "left out, because Event Grid writes it. With --wait, the events are followed to their DAG runs until "
    "these have ended: the runs are those that the rules file says, and the identity needs the right to read "
    "DAG Runs in each Airflow.",
    epilog="Exit status: 0; with --wait also only where every run succeeded. 1 with --wait: no rule matches "
    "an event, or a run failed, was rejected, cannot be followed or has not ended in time. 2 where nothing "
    "was sent: the message says why.",
)
@click.argument("file", metavar="FILE", type=FILE, help="the file; - for standard input")
@click.option(
    "--topic", metavar="URL", help="the topic's endpoint (default: the setting UPDRAFT_TOPIC_ENDPOINT)"
)
@click.option("--new", is_flag=True, help="give each event a new id and the present time: no duplicate, then")
@click.option("--wait", is_flag=True, help="follow each event to its runs, and show the timeline")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="how long --wait waits",
)
@click.option(
    "--source",
    metavar="ID",
    help="for --wait: the topic's resource id, which Event Grid writes into events of its own schema; "
    "without it their runs are found by the event's id",
)
@rules_option
@json_option
def command(
    *,
    file: str,
    topic: str | None,
    new: bool,
    wait: bool,
    timeout: float,
    source: str | None,
    rules_file: str,
    as_json: bool,
) -> int:
    """Publish the events of the file.

    Returns:
        The exit status, as the help has it.
    """
    from cli.publish.outgoing import SOME_TOPIC, read_outgoing, renewed
    from cli.publish.topic import TOPIC_ENDPOINT, send

    try:
        events = read_outgoing(_content(file), source or SOME_TOPIC)
        if new:
            events = [renewed(event) for event in events]
        followed = _Waiting(events, rules_file, exact=source is not None, quiet=as_json) if wait else None
        sent = datetime.now(UTC)
        send(events, setting({TOPIC_ENDPOINT: topic} if topic else os.environ, TOPIC_ENDPOINT))
    except EventError as error:
        print(printable(f"{file}: {error}"), file=sys.stderr)
        return 2
    except UpdraftError as error:
        print_error(error)
        return 2
    if not as_json:
        for event in events:
            print(printable(f"published {event.event.id}"), flush=True)
    status = followed.run(sent, timeout) if followed is not None else 0
    if as_json:
        print_json({"events": [_to_json(event, followed, sent) for event in events]})
    return status


def _content(file: str) -> bytes:
    """Return what the file holds.

    Raises:
        EventError: It cannot be read.
    """
    content = read_body(file)
    if isinstance(content, OSError):
        raise EventError(f"the file cannot be read: {content.strerror or content}")
    return content


class _Waiting:
    """Follows the events of one call, and shows what is found out.

    Args:
        events: The events.
        rules_file: The rules file.
        exact: Whether the source of events in Event Grid's schema is known.
        quiet: Whether nothing is printed to standard output, because a JSON document is.

    Raises:
        RulesError: The rules have mistakes, or name settings that are not set.
    """

    def __init__(self, events: "Sequence[Outgoing]", rules_file: str, *, exact: bool, quiet: bool) -> None:
        from cli.follow.expected_runs import Nearest, expected_from_topic
        from cli.follow.following import Following
        from cli.follow.run_lookup import RunLookup
        from cli.follow.timeline import line_printer
        from cli.rules_file import load

        rules = load(rules_file, os.environ)
        self.unmatched: dict[str, Nearest] = {}
        expected: list[ExpectedRun] = []
        for each in events:
            found = expected_from_topic(each.event, rules, exact=exact or each.cloud_event)
            if isinstance(found, Nearest):
                self.unmatched[each.event.id] = found
            else:
                expected += found
        self._rules_file = rules_file
        self._start = datetime.now(UTC)
        self._line = None if quiet else line_printer(terminal=sys.stdout.isatty())
        self._lookup: RunLookup = RunLookup(rules, os.environ)
        self.following: Following = Following(
            expected, self._lookup, tell=self._tell, wait_words=self._say_why
        )
        self.following.look_before(_new_letters(expected))

    def run(self, sent: datetime, timeout: float) -> int:
        """Follow the runs, and return the exit status.

        Args:
            sent: When the events were sent.
            timeout: Seconds to wait.
        """
        self._start = sent
        if self._line is not None:
            self._line(0, "published", "to the Event Grid topic")
        for event, nearest in self.unmatched.items():
            near = f"; the nearest is {nearest.rule}: {nearest.reason}" if nearest.rule else ""
            self._error(f"event {event}: no rule of {self._rules_file} matches{near}")
        for each in self.following.runs:
            if each.expected.problem:
                self._error(
                    f"event {each.expected.event}: rule {each.expected.rule}: {each.expected.problem}"
                )
        self.following.follow(until="ended", timeout=timeout)
        return self._result(timeout)

    def to_json(self, event: str, sent: datetime) -> "JsonObject":
        """Return what is known of an event's runs."""
        nearest = self.unmatched.get(event)
        return {
            "nearest": None if nearest is None else {"rule": nearest.rule, "reason": nearest.reason},
            "runs": [
                _run_json(each, sent, self._lookup)
                for each in self.following.runs
                if each.expected.event == event
            ],
        }

    def _result(self, timeout: float) -> int:
        """Say which runs did not come to a good end, and return the exit status."""
        bad = len(self.unmatched)
        for each in self.following.runs:
            bad += each.state != "success"
            if each.run is not None and self._line is not None:
                print(printable(f"{'':12}{self._lookup.link(each.expected, each.run)}").rstrip())
            if each.state == "unknown" and each.reason != each.expected.problem:
                self._error(f"rule {each.expected.rule}: {each.reason}")
            elif each.state in {"waiting", "started"}:
                why = each.reason or "the run is running"
                self._error(f"rule {each.expected.rule}: not ended within {timeout:.0f} s: {why}")
                if each.state == "waiting":
                    self._error(
                        "  the app may not have got the event, or it waits for Airflow: look for the event's "
                        "id in the app's log and in `updraft replay list`"
                    )
        return 1 if bad else 0

    def _tell(self, each: "Followed", moment: "Moment") -> None:
        from cli.follow.timeline import milliseconds_since

        if self._line is None:
            return
        words = moment.words
        if moment.name in {"started", "duplicate", "rejected"}:
            dag = f", DAG {each.expected.dag}" if each.expected.dag else ""
            words = f"rule {each.expected.rule}{dag}" + (f": {words}" if words else "")
        elif len(self.following.runs) > 1:
            words = f"rule {each.expected.rule}" + (f": {words}" if words else "")
        self._line(milliseconds_since(self._start, moment.at), moment.name, words)

    def _say_why(self, each: "Followed") -> None:
        self._error(f"waiting: rule {each.expected.rule}: {each.reason}")

    @staticmethod
    def _error(text: str) -> None:
        print(printable(text), file=sys.stderr, flush=True)


def _new_letters(expected: "Sequence[ExpectedRun]") -> "NewLetters | None":
    """Return the app's dead letters from now on; None where this process cannot read them."""
    from cli.follow.following import NewLetters
    from cli.replay.container import DeadLetterContainer
    from shared.azure.credential import azure_credential
    from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, Storage
    from shared.errors import SettingsError

    try:
        container = Storage(os.environ, azure_credential).container(DEAD_LETTERS_CONTAINER)
        return NewLetters(DeadLetterContainer(container, ours=True), [each.rule for each in expected])
    except (SettingsError, StorageUnavailable):
        return None


def _to_json(event: "Outgoing", followed: "_Waiting | None", sent: datetime) -> "JsonObject":
    known: JsonObject = {"id": event.event.id, "type": event.event.type}
    return known if followed is None else known | followed.to_json(event.event.id, sent)


def _run_json(each: "Followed", sent: datetime, lookup: "RunLookup") -> "JsonObject":
    from cli.follow.timeline import milliseconds_since

    run_id = None if each.run is None else str(each.run.get("dag_run_id"))
    return {
        "rule": each.expected.rule,
        "connection": each.expected.connection or None,
        "dag": each.expected.dag or None,
        "run": run_id,
        "state": each.state,
        "reason": each.reason or None,
        "link": lookup.link(each.expected, each.run) or None if each.run is not None else None,
        "milliseconds": {
            moment.name: round(milliseconds_since(sent, moment.at), 1) for moment in each.moments
        },
    }
