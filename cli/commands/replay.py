"""`updraft replay`: count dead letters, show one, and send them again."""

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from cli.options import json_option, rules_option, since_when
from cli.output import plural, print_json, printable, with_progress
from cli.replay.selection import Named, Selection, check_selection, resolve
from cli.replay.stores import Where
from cli.replay.view import ANY_RULE, blob_json, list_json, overview, sent_again, show
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER

if TYPE_CHECKING:
    from datetime import datetime

    from cli.replay.container import Kept
    from cli.replay.resend import Report
    from cli.replay.stores import Store
    from shared.values.json_text import Json, JsonObject

type _Action = Callable[..., int]

_WORDS: Final = (
    "a letter's name as `list` prints it, the beginning of its name, or the event's id as the log has it"
)


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
    epilog="Exit status: 0. 1 where a letter was not sent, where nothing has the name, id, rule, reason or "
    "container that was given, or where Storage cannot be reached; with --wait also where a letter that was "
    "sent has not started a run. 2 for a wrong call.",
    subcommand_metavar="ACTION ...",
)
def command() -> None:
    """Do nothing: the action does it all."""


@command.command("list", help="count them by rule, reason and day, and list them")
@click.argument("words", nargs=-1, metavar="[NAME|ID]...", help=_WORDS)
@selection_options
@click.option("--replayed", is_flag=True, help="those that were sent again, and when")
@where_options
@json_option
def _list(
    *, where: Where, words: tuple[str, ...], selection: Selection, replayed: bool, as_json: bool
) -> int:
    """List letters.

    Returns:
        0; 1 where nothing has a name or an id that was given.

    Raises:
        UpdraftError: Nothing has the rule, the reason or the container; or Storage cannot be reached.
    """
    _, store = where.open(take=False)
    rule, since = selection.rule, selection.since
    named = resolve(store, words, sent_too=replayed)
    names = named.names if words else store.names(rule=rule, since=since, replayed=replayed)
    blobs = [*selection.of(_progress(store.read_all(names), "Reading", len(names)))]
    if not blobs and selection:
        check_selection(store, selection)
    before = 0 if replayed or words else len(store.names(rule=rule, since=since, replayed=True))
    if as_json:
        print_json(list_json(blobs, store.name, before, named.missing))
        return 1 if named.missing else 0
    lines = [*overview(blobs, store.name, thing=store.thing)] if blobs or not words else []
    if before:
        lines.append(f"{plural(before, store.thing)} sent again before: --replayed lists them")
    _print([*lines, *store.leave()])
    return _complain(named)


@command.command("show", help="print one with its event, or all of a folder or of an event")
@click.argument("word", metavar="NAME|ID", help=_WORDS)
@where_options
@json_option
def _show(*, where: Where, word: str, as_json: bool) -> int:
    """Show letters, and return 0, or 1 where there is none or one cannot be read; raises as `_list`."""
    _, store = where.open(take=False)
    named = resolve(store, [word], sent_too=True)
    blobs = [*store.read_all(named.names)]
    if as_json:
        print_json({"letters": [blob_json(kept, whole=True) for kept in blobs], "missing": named.missing})
        return 1 if named.missing or any(kept.bad for kept in blobs) else 0
    for number, kept in enumerate(blobs):
        if len(blobs) > 1:
            print(printable(f"{'' if not number else chr(10)}{kept.name}".lstrip()))
        show(kept, thing=store.thing)
    return _complain(named) or (1 if any(kept.bad for kept in blobs) else 0)


@command.command("send", help="send them again")
@click.argument("words", nargs=-1, metavar="[NAME|ID]...", help=_WORDS)
@selection_options
@click.option("--all", "everything", is_flag=True, help="all that were not sent again")
@click.option("--again", is_flag=True, help="also those that were sent again before")
@click.option("--dry-run", is_flag=True, help="only say what would be sent")
@click.option(
    "--wait",
    is_flag=True,
    help="report the result of each: started, or rejected again. The runs are those of the rules file, "
    "and the identity needs the right to read DAG Runs in Airflow",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="how long --wait waits",
)
@rules_option
@where_options
@json_option
def _send(
    *,
    where: Where,
    words: tuple[str, ...],
    selection: Selection,
    everything: bool,
    again: bool,
    dry_run: bool,
    wait: bool,
    timeout: float,
    rules_file: str,
    as_json: bool,
) -> int:
    """Send letters again.

    Returns:
        0; 1 where a letter was not sent, is not there, or has no run after `timeout` seconds.

    Raises:
        click.UsageError: Nothing was selected.
        UpdraftError: Nothing has the rule, the reason or the container; or Storage cannot be reached.
    """
    if not (everything or words or selection):
        raise click.UsageError(
            "say what to send: names or event ids, --rule, --reason, --since, or --all",
            click.get_current_context(),
        )
    storage, store = where.open(take=not dry_run)
    named = resolve(store, words, sent_too=again)
    wanted = named.names if words else store.names(rule=selection.rule, since=selection.since)
    if again and not words:
        wanted += store.names(rule=selection.rule, since=selection.since, replayed=True)
    done: list[str] = []
    blobs = _progress(store.read_all(wanted), "Reading" if dry_run or wait else "Sending", len(wanted))
    selected: Iterable[Kept] = selection.of(_not_sent(blobs, done, again=again))
    if dry_run or wait:
        selected = [*selected]
    result: JsonObject = {}
    if dry_run:
        lines, failed = _would_be_sent(selected, store, result)
    else:
        from cli.replay.resend import Resender, resend
        from cli.replay.resend_wait import ResendWait

        waiting = ResendWait(storage, [*selected], rules_file) if wait else None
        report = resend(store, Resender(storage), selected)
        lines, failed = _sent(report, store, result)
        if waiting is not None:
            failed |= not waiting.wait(timeout, {name for name, _ in report.failed})
            lines += waiting.lines()
            result["results"] = [*waiting.to_json()]
    notes = store.leave()
    if selection and not (done or any(result.values())):
        check_selection(store, selection)
    if as_json:
        print_json(result | {"not_sent": [*done], "missing": [*named.missing], "notes": [*notes]})
    else:
        _print([*lines, *done, *named.missing, *notes])
    return 1 if named.missing or done or failed else 0


def _not_sent(blobs: Iterable["Kept"], done: list[str], *, again: bool) -> Iterator["Kept"]:
    """Yield the blobs that were not sent again before.

    Args:
        blobs: The blobs.
        done: Takes a sentence for each that was named and is not sent, because it was sent before.
        again: Whether those that were sent before are yielded, too.
    """
    for kept in blobs:
        if kept.done and not again:
            done.append(f"{kept.name}: not sent: {sent_again(kept)}; --again sends it once more")
        else:
            yield kept


def _sent(report: "Report", store: "Store", result: "JsonObject") -> tuple[list[str], bool]:
    """Return what was sent in words, and whether something was not; put the same into the JSON document."""
    result["sent"] = dict(report.sent)
    result["finished"] = report.finished
    result["failed"] = [{"name": name, "reason": reason} for name, reason in report.failed]
    return [*report.lines(thing=store.thing, finished=store.finished_words)], bool(report.failed)


def _would_be_sent(blobs: Iterable["Kept"], store: "Store", result: "JsonObject") -> tuple[list[str], bool]:
    """Return what would be sent in words, and that nothing failed; put the same into the JSON document."""
    lines: list[str] = []
    bad: list[str] = []
    would: list[Json] = []
    for kept in blobs:
        for each in kept.letters:
            lines.append(f"would be sent: {each.rule or ANY_RULE}  {each.code}  {kept.name}")
            would.append({"name": kept.name, "rule": each.rule or None, "reason": each.code})
        bad += [f"{kept.name}: cannot be read: {each.problem}" for each in kept.bad]
    result["would_be_sent"] = would
    result["unreadable"] = [*bad]
    return [*lines, *bad, f"{plural(len(lines), store.thing)} would be sent again"], False


def _progress[T](items: Iterable[T], doing: str, total: int) -> Iterator[T]:
    """Yield the items, with a bar where there is a terminal; without one, nothing is imported for it."""
    return with_progress(items, doing, total) if sys.stderr.isatty() else iter(items)


def _complain(named: Named) -> int:
    """Say what was named and is not there, and return the exit status."""
    for sentence in named.missing:
        print(printable(sentence), file=sys.stderr)
    return 1 if named.missing else 0


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line))
