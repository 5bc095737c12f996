"""`updraft replay`: count dead letters, show one, and send them again."""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.findings import Finding, print_findings, report, split
from cli.options import json_option, local_option, rules_option, since_when, wait_options
from cli.output import plural, print_json, printable
from cli.replay.selection import Selection, check_selection, resolve
from cli.replay.stores import Where
from cli.replay.view import ANY_RULE, blob_json, overview, sent_again, show
from cli.waiting import waiting
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER

if TYPE_CHECKING:
    from datetime import datetime

    from cli.replay.container import Kept
    from cli.replay.stores import Store
    from shared.azure.storage_account import Storage
    from shared.values.json_text import Json, JsonObject

type _Action = Callable[..., int]


def words_argument(*, many: bool) -> Callable[[_Action], _Action]:
    """Return what adds the names or ids of dead letters, as the parameter `words`."""
    return click.argument(
        "words",
        nargs=-1 if many else 1,
        metavar="[NAME|ID]..." if many else "NAME|ID",
        help="a dead letter's name as `updraft replay list` prints it, the beginning of its name, or the id "
        "of its event or the beginning of that id",
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
        help="only dead letters since 2026-11-01T12:00Z, or of the last 90m, 6h, 3d",
    )
    reason = click.option(
        "--reason", metavar="CODE", default="", help="only dead letters with this reason, as in DagNotFound"
    )
    rule = click.option("--rule", metavar="NAME", default="", help="only dead letters of this rule")
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
        help="the messages of the app's poison queues instead; `send` deletes what it has sent",
    )
    container = click.option(
        "--container",
        metavar="NAME|URL",
        help="a container of the app's account, or the https address of one, such as Event Grid's "
        f"(default: {DEAD_LETTERS_CONTAINER})",
    )
    return container(poison(account(packed)))


@click.group(
    "replay",
    help="Count and list dead letters, show one, or send them again. A dead letter is an event that the app "
    "gave up, with the reason. `send` puts the event into the app's own queues, and the app delivers it "
    "again. The dead letter stays, with a mark that it was sent, so that a second `send` leaves it out. "
    "--container names the dead letters of Event Grid. --poison names the messages that the Functions host "
    "gave up before the app could write a dead letter. UPDRAFT_CREDENTIAL=default uses your own login.",
    epilog="Exit status: 0. 1 if a dead letter was not sent, if nothing has the given name, id, rule, reason "
    "or container, or if Storage cannot be reached; with --wait also if an event that was sent has not "
    "started a run. 2 for wrong usage.\n\nRoles on the account: Storage Blob Data Contributor, and for "
    "`send` Storage Queue Data Message Sender. With --poison: Storage Blob Data Contributor and Storage "
    "Queue Data Contributor.",
    subcommand_metavar="ACTION ...",
)
@local_option
def command() -> None:
    """Do nothing: the action does the work."""


@command.command(
    "list",
    short_help="count dead letters, and list them",
    help="Count dead letters by rule, reason and day, and list them.",
)
@words_argument(many=True)
@selection_options
@click.option("--replayed", is_flag=True, help="the dead letters that were sent again, and when")
@where_options
@json_option
@local_option
def _list(
    *, where: Where, words: tuple[str, ...], selection: Selection, replayed: bool, as_json: bool
) -> int:
    """List dead letters.

    Returns:
        0; 1 where nothing has a name or an id that was given.

    Raises:
        UpdraftError: Nothing has the rule, the reason or the container; or Storage cannot be reached.
    """
    rule, since = selection.rule, selection.since
    with waiting(f"reading {where}") as work:
        _, store = where.open(sending=False)
        named = resolve(store, words, sent_too=replayed)
        names = named.names if words else store.names(rule=rule, since=since, replayed=replayed)
        blobs = [*selection.of(work.counted(store.read_all(names), len(names)))]
        if not blobs and selection:
            check_selection(store, selection)
        before = 0 if replayed or words else len(store.names(rule=rule, since=since, replayed=True))
        findings = [*_missing(named.missing), *_unreadable(blobs, "warning"), *_notes(store)]
    listed: list[Json] = [blob_json(kept, whole=False) for kept in blobs]
    lines = [*overview(blobs, store.name, thing=store.thing)] if blobs or not words else []
    if before:
        lines.append(f"{plural(before, store.thing)} sent again before: --replayed lists them")
    return _end(
        lines,
        findings,
        as_json=as_json,
        members={"container": store.name, "dead_letters": listed, "sent_again_before": before},
    )


@command.command(
    "show",
    short_help="print a dead letter with its event",
    help="Print a dead letter with its event, or all dead letters of an event or a folder.",
)
@words_argument(many=False)
@where_options
@json_option
@local_option
def _show(*, where: Where, words: str, as_json: bool) -> int:
    """Show dead letters, and return 0, or 1 if none is found or one cannot be read; raises as `_list`."""
    with waiting(f"reading {where}"):
        _, store = where.open(sending=False)
        named = resolve(store, [words], sent_too=True)
        blobs = [*store.read_all(named.names)]
    if not as_json:
        for number, kept in enumerate(blobs):
            if len(blobs) > 1:
                print("\n" * bool(number) + printable(kept.name))
            show(kept)
    shown: list[Json] = [blob_json(kept, whole=True) for kept in blobs]
    findings = [*_missing(named.missing), *_unreadable(blobs, "error")]
    return _end([], findings, as_json=as_json, members={"dead_letters": shown})


@command.command("send", short_help="send dead letters again", help="Send dead letters again.")
@words_argument(many=True)
@selection_options
@click.option("--all", "everything", is_flag=True, help="all dead letters that were not sent again")
@click.option("--again", is_flag=True, help="also dead letters that were sent again before")
@click.option("--dry-run", is_flag=True, help="only print what would be sent")
@wait_options(
    120,
    "report the result of each event: started, or rejected again; the runs are computed from the rules "
    "file, and this identity needs the right to read DAG Runs in Airflow",
)
@rules_option
@where_options
@json_option
@local_option
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
    """Send dead letters again.

    Returns:
        0; 1 where a dead letter was not sent, is not there, or has no run after `timeout` seconds.

    Raises:
        click.UsageError: Nothing was selected.
        UpdraftError: Nothing has the rule, the reason or the container; or Storage cannot be reached.
    """
    if not (everything or words or selection):
        raise click.UsageError(
            "say what to send: names or event ids, --rule, --reason, --since, or --all",
            click.get_current_context(),
        )
    with waiting(f"reading {where}") as work:
        storage, store = where.open(sending=not dry_run)
        named = resolve(store, words, sent_too=again)
        wanted = named.names if words else store.names(rule=selection.rule, since=selection.since)
        if again and not words:
            wanted += store.names(rule=selection.rule, since=selection.since, replayed=True)
        findings: list[Finding] = []
        blobs = _not_sent(store.read_all(wanted), findings, again=again)
        selected: Iterable[Kept] = selection.of(blobs)
        if dry_run or wait:
            selected = [*work.counted(selected, len(wanted))]
    members: JsonObject = {}
    if dry_run:
        lines = _would_be_sent(selected, store, members, findings)
    else:
        follow = (rules_file, timeout) if wait else None
        lines = _sent(storage, store, selected, len(wanted), follow, members, findings)
    with waiting(f"checking {where}"):
        if not (findings or any(members.values())):
            if selection:
                check_selection(store, selection)
            lines = [*lines, *(() if words else _sent_before(store, selection))]
        findings += [*_missing(named.missing), *_notes(store)]
    return _end(lines, findings, as_json=as_json, members=members)


def _not_sent(blobs: Iterable["Kept"], findings: list[Finding], *, again: bool) -> Iterator["Kept"]:
    """Yield the blobs that were not sent again before.

    Args:
        blobs: The blobs.
        findings: Gets a finding for each blob that was named and sent before.
        again: Whether those that were sent before are yielded, too.
    """
    for kept in blobs:
        if kept.done and not again:
            message = f"{kept.name}: not sent: {sent_again(kept)}"
            findings.append(Finding("SentBefore", message, "`--again` sends it once more"))
        else:
            yield kept


def _sent_before(store: "Store", selection: Selection) -> Iterator[str]:
    """Yield why nothing is left to send: how many selected dead letters were sent before."""
    names = store.names(rule=selection.rule, since=selection.since, replayed=True)
    if count := sum(1 for _ in selection.of(store.read_all(names))):
        was = "was" if count == 1 else "were"
        yield f"{count} {was} sent before; `--again` sends {'it' if count == 1 else 'them'} once more"


def _sent(
    storage: "Storage",
    store: "Store",
    blobs: Iterable["Kept"],
    total: int,
    follow: tuple[str, float] | None,
    members: "JsonObject",
    findings: list[Finding],
) -> list[str]:
    """Send blobs again, and return what was sent, in words.

    Args:
        storage: The app's own account.
        store: Where the blobs are.
        blobs: The blobs.
        total: Their number.
        follow: The rules file and the seconds to wait for the results; None to wait for none.
        members: Gets the same for `--json`.
        findings: Gets what was not sent, and what did not start.
    """
    from cli.replay.resend import Resender, resend
    from cli.replay.resend_wait import ResendWait

    results = ResendWait(storage, [*blobs], follow[0]) if follow is not None else None
    with waiting("sending dead letters again") as work:
        report = resend(store, Resender(storage), work.counted(blobs, total))
    members["sent"] = dict(report.sent)
    members["finished"] = report.finished
    findings += [Finding("NotSent", f"{name}: not sent: {reason}") for name, reason in report.failed]
    lines = [*report.lines(thing=store.thing, finished=store.finished_words)]
    if results is not None and follow is not None:
        results.wait(follow[1], {name for name, _ in report.failed})
        findings += results.findings()
        lines += results.lines()
        members["results"] = [*results.to_json()]
    return lines


def _would_be_sent(
    blobs: Iterable["Kept"], store: "Store", members: "JsonObject", findings: list[Finding]
) -> list[str]:
    """Return what would be sent, in words; arguments as for `_sent`."""
    shown = [*blobs]
    letters = [(kept.name, each) for kept in shown for each in kept.letters]
    members["would_be_sent"] = [
        {"name": name, "rule": each.rule or None, "reason": each.code} for name, each in letters
    ]
    findings += _unreadable(shown, "warning")
    lines = [f"would be sent: {each.rule or ANY_RULE}  {each.code}  {name}" for name, each in letters]
    return [*lines, f"{plural(len(letters), store.thing)} would be sent again"]


def _missing(sentences: Iterable[str]) -> Iterator[Finding]:
    """Yield what was named and is not there."""
    yield from (Finding("NotFound", sentence) for sentence in sentences)


def _unreadable(blobs: Iterable["Kept"], severity: Literal["error", "warning"]) -> Iterator[Finding]:
    """Yield what of blobs cannot be read."""
    for kept in blobs:
        for bad in kept.bad:
            yield Finding("Unreadable", f"{kept.name}: cannot be read: {bad.problem}", severity=severity)


def _notes(store: "Store") -> Iterator[Finding]:
    """Give back what the store has taken, and yield what it holds beside what was read."""
    yield from (Finding("NotRead", note, severity="warning") for note in store.leave())


def _end(lines: Iterable[str], findings: list[Finding], *, as_json: bool, members: "JsonObject") -> int:
    """Print the result, and return the exit status.

    Args:
        lines: The result in words.
        findings: What is wrong.
        as_json: Whether the result is printed as a document.
        members: The result as members of the document.
    """
    if as_json:
        print_json(report(findings, **members))
    else:
        for line in lines:
            print(printable(line), flush=True)
        print_findings(findings)
    return 1 if split(findings)[0] else 0
