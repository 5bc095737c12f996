"""`updraft replay`: count dead letters, show one, and send them again."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from cli.dead_letter_view import ANY_RULE, overview, sent_again, show
from cli.letter_stores import Where
from cli.options import since_when
from cli.output import plural, printable, with_progress
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER

if TYPE_CHECKING:
    from datetime import datetime

    from cli.dead_letter_container import Kept
    from cli.letter_stores import Store
    from shared.azure.storage_account import Storage
    from shared.stores.dead_letter_reader import Letter

type _Action = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters `--rule`, `--reason` and `--since` select; what is empty or None selects all."""

    rule: str
    reason: str
    since: "datetime | None"

    def __bool__(self) -> bool:
        """Tell whether anything was said."""
        return bool(self.rule or self.reason or self.since)

    def has(self, letter: "Letter") -> bool:
        """Tell whether a letter is selected."""
        return (
            (not self.rule or letter.rule == self.rule)
            and (not self.reason or letter.code.lower() == self.reason.lower())
            and (self.since is None or letter.at is None or letter.at >= self.since)
        )

    def of(self, blobs: Iterable["Kept"]) -> Iterator["Kept"]:
        """Yield the blobs of which a letter is selected, as a blob is sent as a whole."""
        for kept in blobs:
            unreadable = kept.problem and not (self.rule or self.reason)
            if unreadable or any(self.has(letter) for letter in kept.letters):
                yield kept


def selection_options(function: _Action) -> _Action:
    """Add `--rule`, `--reason` and `--since`, as the parameter `selection`."""

    @wraps(function)
    def packed(*, rule: str, reason: str, since: "datetime | None", **more: Any) -> int:
        return function(selection=Selection(rule, reason, since), **more)

    span = click.option(
        "--since",
        type=since_when,
        metavar="TIME",
        help="only those given up since: 2026-11-01T12:00Z, or 90m, 6h, 3d",
    )
    reason = click.option("--reason", default="", help="only those of this reason, as in DagNotFound")
    rule = click.option("--rule", default="", help="only those of this rule")
    return rule(reason(span(packed)))


def where_options(function: _Action) -> _Action:
    """Add `--container`, `--poison` and `--account`, as the parameter `where`."""

    @wraps(function)
    def packed(*, container: str | None, poison: bool, account: str | None, **more: Any) -> int:
        if poison and container is not None:
            raise click.UsageError(
                "--poison is not allowed with --container: either the poison queues or a container",
                click.get_current_context(),
            )
        where = Where(DEAD_LETTERS_CONTAINER if container is None else container, poison, account)
        return function(where=where, **more)

    account = click.option(
        "--account",
        metavar="NAME",
        help="the app's Storage account (default: the settings AzureWebJobsStorage__*)",
    )
    poison = click.option(
        "--poison",
        is_flag=True,
        help="the messages of the app's poison queues instead; a message sent again is deleted there",
    )
    container = click.option(
        "--container",
        metavar="NAME|URL",
        help="where they lie: a container of the app's account, or the https address of one of Event Grid's "
        f"(default: {DEAD_LETTERS_CONTAINER})",
    )
    return container(poison(account(packed)))


@click.group(
    "replay",
    help="Count and list dead letters, show one, or send them again: into the app's own queues, from which "
    "the app delivers them like anything else. A letter never changes: a mark beside it says that it was "
    "sent, so that running this twice is harmless. It also reads the containers into which Event Grid writes "
    "its own dead letters (--container), and what the Functions host gave up before the app could write a "
    "dead letter (--poison). Needs the roles Storage Blob Data Contributor and Storage Queue Data Message "
    "Sender, for --poison Storage Queue Data Contributor instead of the latter; log in as yourself with "
    "UPDRAFT_CREDENTIAL=default.",
    epilog="Exit status: 0; 1 where a letter was not sent or Storage cannot be reached; 2 for a wrong call.",
    subcommand_metavar="ACTION ...",
)
def command() -> None:
    """Do nothing: the action does it all."""


@command.command("list", help="count them by rule, reason and day, and list them")
@selection_options
@click.option("--replayed", is_flag=True, help="those that were sent again, and when")
@where_options
def _list(*, where: Where, selection: Selection, replayed: bool) -> int:
    """List letters, and return 0; raises as `Where.open`, and StorageUnavailable."""
    _, store = where.open(take=False)
    rule, since = selection.rule, selection.since
    names = store.names(rule=rule, since=since, replayed=replayed)
    blobs = selection.of(with_progress(store.read_all(names), "Reading", len(names)))
    lines = [*overview(blobs, store.name, thing=store.thing)]
    before = 0 if replayed else len(store.names(rule=rule, since=since, replayed=True))
    if before:
        lines.append(f"{plural(before, store.thing)} sent again before: --replayed lists them")
    _print([*lines, *store.leave()])
    return 0


@command.command("show", help="print one with its event")
@click.argument("name", metavar="NAME", help="the blob's name, as `list` prints it")
@where_options
def _show(*, where: Where, name: str) -> int:
    """Show a letter, and return 0, or 1 where it is not there or cannot be read; raises as `_list`."""
    _, store = where.open(take=False)
    kept = store.read(name)
    if kept is None:
        print(f"there is no {printable(name)} in {store.name}", file=sys.stderr)
        return 1
    show(kept, thing=store.thing)
    return 1 if kept.bad else 0


@command.command("send", help="send them again")
@click.argument("names", nargs=-1, metavar="[NAME]...", help="these blobs")
@selection_options
@click.option("--all", "everything", is_flag=True, help="all that were not sent again")
@click.option("--again", is_flag=True, help="also those that were sent again before")
@click.option("--dry-run", is_flag=True, help="only say what would be sent")
@where_options
def _send(
    *,
    where: Where,
    names: tuple[str, ...],
    selection: Selection,
    everything: bool,
    again: bool,
    dry_run: bool,
) -> int:
    """Send letters again.

    Returns:
        0; 1 where a letter was not sent or is not there.

    Raises:
        click.UsageError: Nothing was selected.
        UpdraftError: Storage cannot be reached, or is not named.
    """
    if not (everything or names or selection):
        raise click.UsageError(
            "say what to send: names, --rule, --reason, --since, or --all", click.get_current_context()
        )
    storage, store = where.open(take=not dry_run)
    wanted = [*names] or store.names(rule=selection.rule, since=selection.since)
    if again and not names:
        wanted += store.names(rule=selection.rule, since=selection.since, replayed=True)
    seen: set[str] = set()
    done: list[str] = []
    blobs = with_progress(store.read_all(wanted), "Reading" if dry_run else "Sending", len(wanted))
    selected = selection.of(_not_sent(blobs, seen, done, again=again))
    lines, status = _would_be_sent(selected, store) if dry_run else _sent(storage, store, selected)
    missing = [f"there is no {name} in {store.name}" for name in names if name not in seen]
    _print([*lines, *done, *missing, *store.leave()])
    return 1 if missing or done else status


def _not_sent(blobs: Iterable["Kept"], seen: set[str], done: list[str], *, again: bool) -> Iterator["Kept"]:
    """Yield the blobs that were not sent again before.

    Args:
        blobs: The blobs.
        seen: Takes the names of all blobs.
        done: Takes a sentence for each that was named and is not sent, because it was sent before.
        again: Whether those that were sent before are yielded, too.
    """
    for kept in blobs:
        seen.add(kept.name)
        if kept.done and not again:
            done.append(f"{kept.name}: not sent: {sent_again(kept)}; --again sends it once more")
        else:
            yield kept


def _sent(storage: "Storage", store: "Store", blobs: Iterable["Kept"]) -> tuple[list[str], int]:
    """Send letters again, and return the report and the exit status."""
    from cli.resend import Resender, resend

    report = resend(store, Resender(storage), blobs)
    return [*report.lines(thing=store.thing, finished=store.finished_words)], 1 if report.failed else 0


def _would_be_sent(blobs: Iterable["Kept"], store: "Store") -> tuple[list[str], int]:
    """Return what would be sent, and the exit status."""
    lines: list[str] = []
    bad: list[str] = []
    for kept in blobs:
        lines += [
            f"would be sent: {each.rule or ANY_RULE}  {each.code}  {kept.name}" for each in kept.letters
        ]
        bad += [f"{kept.name}: cannot be read: {each.problem}" for each in kept.bad]
    return [*lines, *bad, f"{plural(len(lines), store.thing)} would be sent again"], 0


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line))
