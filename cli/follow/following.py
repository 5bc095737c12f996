"""Follows events to their runs, until each run has started or ended, was rejected, or the time is over."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from cli.follow.timeline import ENDED, Moment, run_moments
from cli.output import plural
from cli.waiting import waiting
from shared.errors import StorageUnavailable
from shared.values.json_text import JsonObject

if TYPE_CHECKING:
    from cli.follow.expected_runs import ExpectedRun
    from cli.follow.run_lookup import RunLookup
    from cli.replay.container import DeadLetterContainer

_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 2.0
_LETTERS_EVERY: Final = 2.0
_REPORTED_AFTER: Final = 3.0

type State = Literal["waiting", "started", "success", "failed", "rejected", "unknown"]


@dataclass
class Followed:
    """One run that is followed.

    Attributes:
        expected: The run.
        state: Its state; `unknown` if it cannot be followed.
        reason: Why it waits, was rejected or cannot be followed.
        run: The run as Airflow describes it.
        moments: The known steps.
        before: Whether the run existed before the event was sent.
        since: The monotonic second since which it waits for that reason.
        reported: The reason that was reported last.
    """

    expected: "ExpectedRun"
    state: State = "waiting"
    reason: str = ""
    run: JsonObject | None = None
    moments: list[Moment] = field(default_factory=list)
    before: bool = False
    since: float = field(default_factory=time.monotonic)
    reported: str = ""


class NewLetters:
    """The dead letters that are written from now on.

    Args:
        store: The app's own container.
        rules: Only the dead letters of these rules are read.

    Raises:
        StorageUnavailable: The container cannot be listed.
    """

    def __init__(self, store: "DeadLetterContainer", rules: Iterable[str]) -> None:
        self._store = store
        self._rules = sorted(set(rules))
        with waiting("listing dead letters"):
            self._known = set(self._names())

    def reasons(self) -> dict[tuple[str, str], str]:
        """Return why events were rejected since the last call, by rule and the event's id.

        Raises:
            StorageUnavailable: The container cannot be read.
        """
        names = [name for name in self._names() if name not in self._known]
        self._known.update(names)
        return {
            (letter.rule, letter.subject.id or ""): f"{letter.code}: {letter.reason}"
            for kept in self._store.read_all(names)
            for letter in kept.letters
        }

    def _names(self) -> list[str]:
        return [name for rule in self._rules for name in self._store.names(rule=rule)]


class Following:
    """Follows runs.

    Args:
        expected: The runs.
        lookup: Looks them up.
        on_step: Called with each new step.
        on_wait: Called when a run has waited for one reason for some seconds.
    """

    def __init__(
        self,
        expected: Sequence["ExpectedRun"],
        lookup: "RunLookup",
        *,
        on_step: Callable[[Followed, Moment], None],
        on_wait: Callable[[Followed], None],
    ) -> None:
        self.runs = [
            Followed(each, "unknown" if each.problem and not each.doomed else "waiting", each.problem)
            for each in expected
        ]
        self._lookup = lookup
        self._on_step = on_step
        self._on_wait = on_wait
        self._letters: NewLetters | None = None

    def look_before(self, letters: NewLetters | None) -> None:
        """Look for the runs that exist before the events are sent.

        Args:
            letters: The dead letters from now on; None if they cannot be read.
        """
        self._letters = letters
        followed = self._waiting(frozenset())
        with waiting("looking for earlier runs") as work:
            for each in work.counted(followed, len(followed)):
                if each.expected.doomed:  # nothing but its dead letter can be seen
                    each.state = "waiting" if letters is not None else "unknown"
                else:
                    each.before = self._lookup.look(each.expected).run is not None

    def follow(self, *, until: Literal["started", "ended"], timeout: float) -> None:
        """Look until every run has started or ended, or cannot do so any more.

        Args:
            until: The state to wait for.
            timeout: The longest time to wait, in seconds.
        """
        done: set[State] = {"started"} if until == "started" else set()
        if followed := len(self._waiting(done)):
            with waiting(f"following {plural(followed, 'run')} for up to {timeout:.0f} s"):
                self._follow(done, timeout)

    def _follow(self, done: set[State], timeout: float) -> None:
        deadline, pause, letters_at = time.monotonic() + timeout, _PAUSE, 0.0
        while left := self._waiting(done):
            for each in left:
                self._look(each)
            if time.monotonic() >= letters_at:
                self._read_letters()
                letters_at = time.monotonic() + _LETTERS_EVERY
            seconds = deadline - time.monotonic()
            if seconds <= 0 or not self._waiting(done):
                return
            time.sleep(min(pause, seconds))
            pause = min(pause * 1.2, _LONGEST_PAUSE)

    def _waiting(self, done: Collection[State]) -> list[Followed]:
        return [each for each in self.runs if each.state in {"waiting", "started"} and each.state not in done]

    def _look(self, each: Followed) -> None:
        if each.expected.doomed:
            return
        found = self._lookup.look(each.expected)
        if found.run is None:
            each.state = "unknown" if found.hopeless else each.state
            self._wait(each, found.reason)
            return
        first, each.run = each.run is None, found.run
        state = str(found.run.get("state"))
        each.state = state if state in ENDED else "started"  # type: ignore[assignment] # both are states
        moments = run_moments(found.run)
        if each.before:
            has = f"has {'succeeded' if state == 'success' else state}" if state in ENDED else f"is {state}"
            was_there = Moment(datetime.now(UTC), "duplicate", f"the run existed before, and {has}")
            sent = each.moments[0].at if each.moments else was_there.at
            moments = [was_there, *(moment for moment in moments if moment.at > sent)]
        elif first and not any(moment.name == "started" for moment in moments):
            moments = [Moment(datetime.now(UTC), "started"), *moments]
        known = {moment.name for moment in each.moments}
        for moment in moments:
            if moment.name not in known:
                each.moments.append(moment)
                self._on_step(each, moment)
        self._wait(each, "" if state in ENDED else found.reason)

    def _wait(self, each: Followed, reason: str) -> None:
        """Record why a run waits, and report it once it has lasted for some seconds."""
        now = time.monotonic()
        if reason != each.reason:
            each.reason, each.since = reason, now
        lasts = now - each.since >= _REPORTED_AFTER
        if reason and lasts and reason != each.reported and each.state in {"waiting", "started"}:
            each.reported = reason
            self._on_wait(each)

    def _read_letters(self) -> None:
        if self._letters is None:
            return
        try:
            reasons = self._letters.reasons()
        except StorageUnavailable:
            return  # the next look may succeed, and the run is still looked for
        for each in self.runs:
            reason = reasons.get((each.expected.rule, each.expected.event))
            if reason is not None and each.state == "waiting":
                each.state, each.reason = "rejected", reason
                moment = Moment(datetime.now(UTC), "rejected", reason)
                each.moments.append(moment)
                self._on_step(each, moment)
