"""Waits for the result of dead letters that are sent again: a run, or a new dead letter."""

import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cli.findings import Finding
from cli.follow.expected_runs import ExpectedRun, expected_of_letter
from cli.follow.following import Followed, Following, NewLetters
from cli.follow.run_lookup import RunLookup
from cli.output import printable
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER
from shared.values.json_text import JsonObject

if TYPE_CHECKING:
    from cli.follow.timeline import Moment
    from cli.replay.container import Kept
    from shared.azure.storage_account import Storage

PAGE: Final = "docs/dead-letters.md, Sending dead letters again"
_STARTED: Final = frozenset({"started", "success", "failed"})
_CODES: Final = {"rejected": "RejectedAgain", "unknown": "NotFollowed", "waiting": "NotStarted"}
_ORDER: Final = ("started", "had its run before", "rejected again", "not started yet", "not followed")


class ResendWait:
    """Follows the events of one `replay send --wait`.

    Args:
        storage: The app's own account; its container gets a dead letter for an event that is rejected again.
        blobs: The blobs that are about to be sent.
        rules_file: The rules file.

    Raises:
        RulesError: The rules have mistakes, or name settings that are not set.
        StorageUnavailable: The container of dead letters cannot be listed.
    """

    def __init__(self, storage: "Storage", blobs: "Sequence[Kept]", rules_file: str) -> None:
        from cli.replay.container import DeadLetterContainer
        from cli.rules_file import load

        rules = load(rules_file, os.environ)
        of_blob = [
            (kept.name, run)
            for kept in blobs
            for letter in kept.letters
            for run in expected_of_letter(letter, rules)
        ]
        expected = [run for _, run in of_blob]
        self._blobs = [name for name, _ in of_blob]
        self._following = Following(
            expected, RunLookup(rules, os.environ), on_step=self._tell, on_wait=self._say_why
        )
        own = DeadLetterContainer(storage.container(DEAD_LETTERS_CONTAINER), ours=True)
        self._following.look_before(NewLetters(own, [each.rule for each in expected if each.rule]))

    def wait(self, timeout: float, not_sent: Collection[str]) -> None:
        """Wait until each event has started a run or was rejected again.

        Args:
            timeout: Seconds to wait.
            not_sent: The blobs of which a part was not sent: their results are not waited for.
        """
        for name, each in zip(self._blobs, self._following.runs, strict=True):
            if name in not_sent:
                each.state, each.reason = "unknown", "not all of its blob was sent"
        self._following.follow(until="started", timeout=timeout)

    def lines(self) -> Iterator[str]:
        """Yield the number of events by their result."""
        counts = Counter(map(_result, self._following.runs))
        summary = ", ".join(f"{counts[result]} {result}" for result in _ORDER if counts[result])
        rejected = f" (see {PAGE})" if counts["rejected again"] else ""
        yield f"{summary or 'nothing to wait for'}{rejected}"

    def findings(self) -> Iterator[Finding]:
        """Yield the result of each event that has no run."""
        for name, each in zip(self._blobs, self._following.runs, strict=True):
            if each.state not in _STARTED:
                about = f"event {each.expected.event}" if each.expected.event else f"dead letter {name}"
                event = f"{about}{_at(each.expected)}"
                yield Finding(_CODES[each.state], f"{event}: {_result(each)}: {each.reason}")

    def to_json(self) -> list[JsonObject]:
        """Return the results."""
        return [
            {
                "event": each.expected.event,
                "rule": each.expected.rule or None,
                "dag": each.expected.dag or None,
                "run": each.expected.run or None,
                "result": _result(each),
                "state": each.state,
                "reason": each.reason or None,
            }
            for each in self._following.runs
        ]

    def _tell(self, each: Followed, moment: "Moment") -> None:
        """Do nothing: only the result is reported."""

    @staticmethod
    def _say_why(each: Followed) -> None:
        if sys.stderr.isatty() and each.state == "waiting":
            print(printable(f"waiting: rule {each.expected.rule}: {each.reason}"), file=sys.stderr)


def _result(each: Followed) -> str:
    if each.state in _STARTED:
        return "had its run before" if each.before else "started"
    return {"rejected": "rejected again", "unknown": "not followed"}.get(each.state, "not started yet")


def _at(expected: ExpectedRun) -> str:
    return f" at rule {expected.rule}" if expected.rule else ""
