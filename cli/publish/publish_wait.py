"""Follows published events to their runs, and shows each step."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli import local_settings
from cli.findings import Finding, print_findings
from cli.follow.expected_runs import ExpectedRun, expected_from_topic
from cli.follow.following import Followed, Following, NewLetters
from cli.follow.run_lookup import RunLookup
from cli.follow.timeline import Moment, line_printer, milliseconds_since
from cli.hints import is_local, updraft
from cli.output import printable
from cli.rules_file import load
from shared.deciding.nearest import Unmatched
from shared.errors import SettingsError, StorageUnavailable

if TYPE_CHECKING:
    from cli.publish.outgoing import Outgoing
    from shared.values.json_text import JsonObject


class PublishWait:
    """Follows the events of one `publish --wait`.

    Args:
        events: The events.
        rules_file: The rules file.
        exact: Whether the source of events in Event Grid's schema is known.
        quiet: Whether a JSON document is printed instead of lines.

    Raises:
        RulesError: The rules have mistakes, or name settings that are not set.
    """

    def __init__(self, events: "Sequence[Outgoing]", rules_file: str, *, exact: bool, quiet: bool) -> None:
        rules = load(rules_file, os.environ)
        self._unmatched: dict[str, Unmatched] = {}
        expected: list[ExpectedRun] = []
        for each in events:
            found = expected_from_topic(each.event, rules, exact=exact or each.cloud_event)
            if isinstance(found, Unmatched):
                self._unmatched[each.event.id] = found
            else:
                expected += found
        self._rules_file = rules_file
        self._quiet = quiet
        self._start = datetime.now(UTC)
        self._line = line_printer(terminal=sys.stdout.isatty())
        self._lookup = RunLookup(rules, os.environ)
        self._following = Following(expected, self._lookup, on_step=self._show_step, on_wait=self._show_wait)
        self._following.look_before(_new_letters(expected))
        self._findings: list[Finding] = []

    def run(self, sent: datetime, timeout: float) -> list[Finding]:
        """Follow the runs, and return why events have no run that succeeded.

        Args:
            sent: When the events were sent.
            timeout: Seconds to wait.
        """
        self._start = sent
        self._show(0, "published", "to the Event Grid topic")
        for event, near in self._unmatched.items():
            nearest = f"; nearest rule `{near.rule}`: {near.reason}" if near.rule else f": {near.reason}"
            self._found("Unmatched", f"event {event}: no rule of {self._rules_file} matches{nearest}")
        for each in self._following.runs:
            if each.expected.problem:
                code = "Rejected" if each.expected.doomed else "NotFollowed"
                self._found(code, f"event {each.expected.event}: {each.expected.problem}", each)
        self._following.follow(until="ended", timeout=timeout)
        for each in self._following.runs:
            self._end(each, timeout)
        return self._findings

    def to_json(self, event: str, sent: datetime) -> "JsonObject":
        """Return the runs of an event.

        Args:
            event: The event's id.
            sent: When it was sent.
        """
        near = self._unmatched.get(event)
        return {
            "nearest": None if near is None else {"rule": near.rule or None, "reason": near.reason},
            "runs": [
                self._run_json(each, sent) for each in self._following.runs if each.expected.event == event
            ],
        }

    def _end(self, each: Followed, timeout: float) -> None:
        """Show the address of a run, and add a finding unless it succeeded."""
        if each.run is not None and not self._quiet:
            print(printable(f"{'':12}{self._lookup.link(each.expected, each.run)}").rstrip())
        event = f"event {each.expected.event}"
        if each.state in {"waiting", "started"}:
            why = each.reason or "the run is running"
            late = "its run has not ended" if each.run is not None else "there is no run"
            self._found("NotEnded", f"{event}: {late} after {timeout:.0f} s: {why}", each)
        elif each.state == "unknown" and each.reason != each.expected.problem:
            self._found("NotFollowed", f"{event}: {each.reason}", each)
        elif each.state == "rejected" and not each.expected.problem:
            self._found("Rejected", f"{event} was rejected: {each.reason}", each)
        elif each.state == "failed":
            self._found("RunFailed", f"{event}: its run failed", each)

    def _found(self, code: str, message: str, each: Followed | None = None) -> None:
        """Add a finding, and show it at once."""
        fix = command = ""
        if each is not None and each.state == "waiting" and each.run is None and code == "NotEnded":
            log = f" ({local_settings.APP_LOG})" if is_local() else ""
            fix = f"look for the event's id in the app's log{log} and among the dead letters"
            command = updraft("replay", "list")
        expected = each.expected if each is not None else None
        finding = Finding(
            code,
            message,
            fix,
            command,
            dags=(expected.dag,) if expected is not None and expected.dag else (),
            rules=(expected.rule,) if expected is not None else (),
        )
        self._findings.append(finding)
        if not self._quiet:
            print_findings([finding])

    def _show(self, milliseconds: float, name: str, words: str) -> None:
        if not self._quiet:
            self._line(milliseconds, name, words)

    def _show_step(self, each: Followed, moment: Moment) -> None:
        words = moment.words
        if moment.name in {"started", "duplicate", "rejected"}:
            dag = f", DAG {each.expected.dag}" if each.expected.dag else ""
            if moment.name == "rejected":
                words = words.partition(":")[0]  # its code; a finding has the reason
            words = f"rule {each.expected.rule}{dag}" + (f": {words}" if words else "")
        elif len(self._following.runs) > 1:
            words = f"rule {each.expected.rule}" + (f": {words}" if words else "")
        self._show(milliseconds_since(self._start, moment.at), moment.name, words)

    @staticmethod
    def _show_wait(each: Followed) -> None:
        print(printable(f"waiting: rule {each.expected.rule}: {each.reason}"), file=sys.stderr, flush=True)

    def _run_json(self, each: Followed, sent: datetime) -> "JsonObject":
        run = each.run
        return {
            "rule": each.expected.rule,
            "connection": each.expected.connection or None,
            "dag": each.expected.dag or None,
            "run": None if run is None else str(run.get("dag_run_id")),
            "state": each.state,
            "reason": each.reason or None,
            "link": None if run is None else self._lookup.link(each.expected, run) or None,
            "milliseconds": {
                moment.name: round(milliseconds_since(sent, moment.at), 1) for moment in each.moments
            },
        }


def _new_letters(expected: Sequence[ExpectedRun]) -> NewLetters | None:
    """Return the app's dead letters from now on; None where this process cannot read them."""
    from cli.replay.container import DeadLetterContainer
    from shared.azure.credential import azure_credential
    from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, Storage

    try:
        container = Storage(os.environ, azure_credential).container(DEAD_LETTERS_CONTAINER)
        return NewLetters(DeadLetterContainer(container, ours=True), [each.rule for each in expected])
    except (SettingsError, StorageUnavailable):
        return None
