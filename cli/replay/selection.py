"""Selects dead letters by name, by the beginning of a name, by the event's id, or by rule, reason and time.

A name, an id, a rule or a reason that no dead letter has is an error, which lists the known ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cli.output import listed
from shared.errors import UpdraftError
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from cli.replay.container import Kept
    from cli.replay.stores import Store
    from shared.stores.dead_letter_reader import Letter

_LISTED: Final = 10
_SHORTEST: Final = 4
"""Characters of the shortest beginning of an id that names an event."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The values of `--rule`, `--reason` and `--since`; an empty value or None selects all dead letters."""

    rule: str
    reason: str
    since: datetime | None

    def __bool__(self) -> bool:
        """Return whether an option was given."""
        return bool(self.rule or self.reason or self.since)

    def has(self, letter: "Letter") -> bool:
        """Return whether a dead letter is selected."""
        return (
            (not self.rule or letter.rule == self.rule)
            and (not self.reason or letter.code.lower() == self.reason.lower())
            and (self.since is None or letter.at is None or letter.at >= self.since)
        )

    def of(self, blobs: Iterable["Kept"]) -> Iterator["Kept"]:
        """Yield the blobs with a selected dead letter; a blob is sent as a whole."""
        for kept in blobs:
            unreadable = kept.problem and not (self.rule or self.reason)
            if unreadable or any(self.has(letter) for letter in kept.letters):
                yield kept


@dataclass(frozen=True, slots=True)
class Named:
    """The dead letters that a command line names.

    Attributes:
        names: The names of blobs or messages, in the order of the words.
        missing: A message for each word that fits no dead letter.
    """

    names: list[str]
    missing: list[str]


def resolve(store: "Store", words: Sequence[str], *, sent_too: bool) -> Named:
    """Find the dead letters of words: each is a name, a folder, or the id of an event or its beginning.

    Dead letters are read only if a word is neither a name nor the beginning of one. Of several dead letters
    for a word, those that were sent again are left out, unless all were.

    Args:
        store: The container or the poison queues.
        words: The words.
        sent_too: Whether dead letters that were sent again are included.

    Raises:
        StorageUnavailable: The store cannot be read.
    """
    if not words:
        return Named([], [])
    waiting = store.names()
    known = [*waiting, *store.names(replayed=True)]
    by_word = {word: _by_name(word, known) for word in words}
    ids: dict[str, list[str]] = {}
    if not all(by_word.values()):
        for kept in store.read_all(known):
            for letter in (*kept.letters, *kept.sent):
                if letter.subject.id and kept.name not in ids.setdefault(letter.subject.id, []):
                    ids[letter.subject.id].append(kept.name)
    names: dict[str, None] = {}
    missing: list[str] = []
    for word, found in by_word.items():
        found = found or ids.get(word) or _by_id(word, ids)  # noqa: PLW2901 - a name goes before an id
        left = [] if sent_too else [name for name in found if name in waiting]
        names |= dict.fromkeys(left or found)
        if not found:
            missing.append(_nothing_called(word, store, ids, known))
    return Named([*names], missing)


def check_selection(store: "Store", selection: Selection) -> None:
    """Check that a dead letter has the rule and the reason of a selection.

    It reads every dead letter, so it is called only if the selection fits none.

    Raises:
        UpdraftError: No dead letter has that rule or that reason; the message lists the known ones.
        StorageUnavailable: The store cannot be read.
    """
    rules: set[str] = set()
    codes: set[str] = set()
    for kept in store.read_all([*store.names(), *store.names(replayed=True)]):
        for letter in (*kept.letters, *kept.sent):
            rules.add(letter.rule)
            if selection.rule in {"", letter.rule}:
                codes.add(letter.code)
    if selection.rule and rules and selection.rule not in rules:
        named = sorted(rules - {""})
        raise UpdraftError(
            f"no {store.thing} in {store.name} is of rule {selection.rule}"
            f"{did_you_mean(selection.rule, named)}; there are dead letters of: {listed(named)}"
        )
    if selection.reason and codes and selection.reason.lower() not in {code.lower() for code in codes}:
        of_rule = f" of rule {selection.rule}" if selection.rule else ""
        raise UpdraftError(
            f"no {store.thing}{of_rule} in {store.name} has the reason {selection.reason}"
            f"{did_you_mean(selection.reason, sorted(codes))}; there are: {listed(sorted(codes))}"
        )


def _by_name(word: str, known: Sequence[str]) -> list[str]:
    """Return the names that a word is, or is the beginning of; a folder ends with its slash."""
    if word in known:
        return [word]
    beginning = word if "/" in word else f"{word}/"
    return [name for name in known if name.startswith(beginning)]


def _by_id(word: str, ids: dict[str, list[str]]) -> list[str]:
    """Return the dead letters of the one event whose id begins with a word; none if several ids do."""
    found = [names for each, names in ids.items() if each.startswith(word)]
    return found[0] if len(found) == 1 and len(word) >= _SHORTEST else []


def _nothing_called(word: str, store: "Store", ids: dict[str, list[str]], known: Sequence[str]) -> str:
    near = did_you_mean(word, [*ids, *known])
    shown = [*sorted(ids, key=lambda each: not each.startswith(word))][:_LISTED]
    more = f" and {len(ids) - len(shown)} more" if len(ids) > len(shown) else ""
    there = f"; there are the events {listed(shown)}{more}" if ids else f"; there is no {store.thing}"
    return f"there is no {word} in {store.name}, neither as a name nor as the id of an event{near}{there}"
