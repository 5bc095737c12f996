"""`updraft replay`: count dead letters, show one, and send them again."""

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cli.output import plural, printable, with_progress
from cli.rules_file import Subparsers
from shared.errors import SettingsError, UnusableValue
from shared.values.times import parse_time

if TYPE_CHECKING:
    from cli.dead_letter_container import DeadLetterContainer, Kept
    from cli.poison_messages import PoisonMessages
    from shared.azure.storage_account import Storage
    from shared.stores.dead_letter_reader import Letter

    type _Store = DeadLetterContainer | PoisonMessages

DEAD_LETTERS: Final = "updraft-dead-letters"
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
ANY_RULE: Final = "(any rule)"
"""What stands for the rule of an event that was given up before any rule had it."""
_REASON_SHOWN: Final = 200


def add_parser(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "replay",
        help="count dead letters, show one, and send them again",
        description="Count and list dead letters, show one, or send them again: into the app's own queues, "
        "from which the app delivers them like anything else. A letter never changes: a mark beside it says "
        "that it was sent, so that running this twice is harmless. It also reads the containers into which "
        "Event Grid writes its own dead letters (--container), and what the Functions host gave up before "
        "the app could write a dead letter (--poison). Needs the roles Storage Blob Data Contributor and "
        "Storage Queue Data Message Sender, for --poison Storage Queue Data Contributor instead of the "
        "latter; log in as yourself with UPDRAFT_CREDENTIAL=default.",
        epilog="Exit status: 0; 1 where a letter was not sent or Storage cannot be reached; 2 for a wrong "
        "call.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="count them by rule, reason and day, and list them")
    showing = actions.add_parser("show", help="print one with its event")
    sending = actions.add_parser("send", help="send them again")
    showing.add_argument("name", help="the blob's name, as `list` prints it")
    for action in (listing, sending):
        action.add_argument("--rule", default="", help="only those of this rule")
        action.add_argument("--reason", default="", help="only those given up for this reason, as in Refused")
        action.add_argument(
            "--since",
            type=_since,
            metavar="TIME",
            help="only those given up since: 2026-11-01T12:00Z, or 90m, 6h, 3d",
        )
    listing.add_argument("--replayed", action="store_true", help="those that were sent again, and when")
    sending.add_argument("--again", action="store_true", help="also those that were sent again before")
    sending.add_argument("names", nargs="*", metavar="NAME", help="these blobs")
    sending.add_argument("--all", action="store_true", help="all that were not sent again")
    sending.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    for action in (listing, showing, sending):
        where = action.add_mutually_exclusive_group()
        where.add_argument(
            "--container",
            default=DEAD_LETTERS,
            metavar="NAME|URL",
            help="where they lie: a container of the app's account, or the https address of one of Event "
            "Grid's (default: %(default)s)",
        )
        where.add_argument(
            "--poison",
            action="store_true",
            help="the messages of the app's poison queues instead; a message sent again is deleted there",
        )
        action.add_argument(
            "--account",
            metavar="NAME",
            help="the app's Storage account (default: the settings AzureWebJobsStorage__*)",
        )


def run(args: argparse.Namespace) -> int:
    """Carry the action out.

    Returns:
        0; 1 where a letter was not sent or is not there; 2 where nothing was selected.

    Raises:
        UpdraftError: Storage cannot be reached, or is not named.
    """
    if args.action == "send" and not (args.all or args.names or args.rule or args.reason or args.since):
        print("say what to send: names, --rule, --reason, --since, or --all", file=sys.stderr)
        return 2
    storage, store = _places(args)
    if args.action == "show":
        return _show(store, args.name)
    wanted: list[str] = getattr(args, "names", [])
    names = wanted or _names(store, args)
    doing = "Reading" if args.action == "list" or args.dry_run else "Sending"
    seen: set[str] = set()
    done: list[str] = []
    blobs = _selected(with_progress(store.read_all(names), doing, len(names)), args, seen, done)
    if args.action == "send":
        lines, status = _send(storage, store, blobs, dry_run=args.dry_run)
    else:
        lines, status = list(overview(blobs, store.name, thing=store.thing)), 0
        lines += _sent_before(store, args)
    missing = [f"there is no {name} in {store.name}" for name in wanted if name not in seen]
    for line in (*lines, *done, *missing, *store.leave()):
        print(printable(line))
    return 1 if missing or done else status


def _names(store: "_Store", args: argparse.Namespace) -> list[str]:
    """Return the names of all blobs that the call is about, where it names none."""
    if args.action == "list":
        return store.names(rule=args.rule, since=args.since, replayed=args.replayed)
    names = store.names(rule=args.rule, since=args.since)
    return [*names, *store.names(rule=args.rule, since=args.since, replayed=True)] if args.again else names


def _sent_before(store: "_Store", args: argparse.Namespace) -> list[str]:
    """Return a line about the blobs that `list` does not show, where there are some."""
    if args.replayed:
        return []
    count = len(store.names(rule=args.rule, since=args.since, replayed=True))
    return [f"{plural(count, store.thing)} sent again before: --replayed lists them"] if count else []


def overview(blobs: Iterable["Kept"], container: str, *, thing: str = "dead letter") -> Iterator[str]:
    """Yield the counts of the letters, and what tells each of them from the others."""
    rows: list[tuple[str, str, str, str, str, str]] = []
    problems: list[str] = []
    replays: dict[str, str] = {}
    for kept in blobs:
        problems += [f"{kept.name}: cannot be read: {bad.problem}" for bad in kept.bad]
        if kept.replays:
            replays[kept.name] = _replays(kept)
        rows += [
            (
                _moment(letter.at),
                letter.rule or ANY_RULE,
                letter.code,
                letter.subject.id or "-",
                kept.name,
                letter.reason,
            )
            for letter in kept.letters
        ]
    yield f"{plural(len(rows), thing)} in {container}"
    for title, keys in (
        ("rule", [row[1] for row in rows]),
        ("reason", [row[2] for row in rows]),
        ("day", [row[0][:10] for row in rows]),
    ):
        if keys:
            counted = ", ".join(f"{key} {count}" for key, count in sorted(Counter(keys).items()))
            yield f"  by {title}: {counted}"
    for *told, reason in sorted(rows):
        yield "  ".join(told)
        if reason:
            yield f"    {reason[:_REASON_SHOWN]}"
        if told[-1] in replays:
            yield f"    {replays[told[-1]]}"
    yield from problems


def _replays(kept: "Kept") -> str:
    """Return when a blob was sent again, and how much of it."""
    part = "" if kept.done else f" in part ({plural(len(kept.sent), 'letter')})"
    return f"sent again{part}: {', '.join(map(_moment, kept.replays))}"


def _places(args: argparse.Namespace) -> tuple["Storage", "_Store"]:
    """Return the app's own account, and the container or the queues with the letters."""
    from cli.dead_letter_container import DeadLetterContainer  # noqa: PLC0415 - reads events, which `--help` does not
    from shared.azure.credential import azure_credential  # noqa: PLC0415 - as above
    from shared.azure.storage_account import CONNECTION, Storage  # noqa: PLC0415 - as above

    settings = {f"{CONNECTION}__accountName": args.account} if args.account else os.environ
    storage = Storage(settings, azure_credential)
    if args.poison:
        from cli.poison_messages import PoisonMessages  # noqa: PLC0415 - as above

        return storage, PoisonMessages(storage, take=args.action == "send" and not args.dry_run)
    address = urlsplit(args.container)
    if not address.scheme:
        ours = args.container == DEAD_LETTERS
        return storage, DeadLetterContainer(storage.container(args.container), ours=ours)
    account, _, name = args.container.rstrip("/").rpartition("/")
    named = Storage({f"{CONNECTION}__blobServiceUri": account}, azure_credential)
    ours = name == DEAD_LETTERS and _is_account(storage, account)
    return storage, DeadLetterContainer(named.container(name), ours=ours)


def _is_account(storage: "Storage", address: str) -> bool:
    """Tell whether an address is that of the app's own account, which need not be named to read another."""
    with suppress(SettingsError):
        return storage.address("blob").rstrip("/").lower() == address.rstrip("/").lower()
    return False


def _show(store: "_Store", name: str) -> int:
    kept = store.read(name)
    if kept is None:
        print(f"there is no {printable(name)} in {store.name}", file=sys.stderr)
        return 1
    if kept.replays:
        print(_replays(kept))
    for letter in (*kept.letters, *kept.sent):
        print(f"rule      {printable(letter.rule or ANY_RULE)}")
        print(f"reason    {printable(letter.code)}: {printable(letter.reason)}")
        times = f"first seen {_moment(letter.first_seen)}, given up {_moment(letter.at)}"
        print(f"attempts  {letter.attempts or '-'}, {times}")
        whole = len(kept.letters) + len(kept.sent) == 1 and store.thing == "dead letter"
        print(json.dumps(json.loads(letter.text), indent=2) if whole else printable(letter.body()))
    for bad in kept.bad:
        print(f"cannot be read: {printable(bad.problem)}", file=sys.stderr)
        print(printable(bad.text))
    return 1 if kept.bad else 0


def _send(
    storage: "Storage", store: "_Store", blobs: Iterable["Kept"], *, dry_run: bool
) -> tuple[list[str], int]:
    """Send the letters again, and return the report and the exit status."""
    from cli.resend import Resender, resend  # noqa: PLC0415 - as in `_places`

    if not dry_run:
        report = resend(store, Resender(storage), blobs)
        report_lines = report.lines(thing=store.thing, finished=store.finished_words)
        return list(report_lines), 1 if report.failed else 0
    lines: list[str] = []
    bad: list[str] = []
    for kept in blobs:
        lines += [
            f"would be sent: {each.rule or ANY_RULE}  {each.code}  {kept.name}" for each in kept.letters
        ]
        bad += [f"{kept.name}: cannot be read: {each.problem}" for each in kept.bad]
    return [*lines, *bad, f"{plural(len(lines), store.thing)} would be sent again"], 0


def _selected(
    blobs: Iterable["Kept"], args: argparse.Namespace, seen: set[str], done: list[str]
) -> Iterator["Kept"]:
    """Yield the blobs of which a letter is wanted, as a blob is sent as a whole.

    Args:
        blobs: The blobs.
        args: The call.
        seen: Takes the names of all blobs.
        done: Takes a sentence for each that was named and is not sent, because it was sent before.
    """
    for kept in blobs:
        seen.add(kept.name)
        if args.action == "send" and kept.done and not args.again:
            done.append(f"{kept.name}: not sent: {_replays(kept)}; --again sends it once more")
        elif (kept.problem and not (args.rule or args.reason)) or any(
            _wanted(letter, args) for letter in kept.letters
        ):
            yield kept


def _wanted(letter: "Letter", args: argparse.Namespace) -> bool:
    return (
        (not args.rule or letter.rule == args.rule)
        and (not args.reason or letter.code.lower() == args.reason.lower())
        and (args.since is None or letter.at is None or letter.at >= args.since)
    )


def _since(text: str) -> datetime:
    """Read `--since`: a time, in UTC unless it says otherwise, or how long ago."""
    if ago := re.fullmatch(r"(\d{1,6})([mhdw])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    for time in (text, f"{text}T00:00"):
        with suppress(UnusableValue):
            return parse_time(time, without_offset_is_utc=True)
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a time such as 2026-11-01T12:00Z nor a span such as 90m, 6h or 3d"
    )


def _moment(time: datetime | None) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else "undated"
