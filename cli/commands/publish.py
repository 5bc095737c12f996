"""`updraft publish FILE`: send events to an Event Grid topic, and follow them to their runs."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from cli.event_files import content_of
from cli.findings import print_failure, report
from cli.options import FILE, json_option, local_option, rules_option, wait_options
from cli.output import print_json, printable
from cli.waiting import waiting
from shared.errors import EventError, UpdraftError
from shared.values.app_settings import setting

if TYPE_CHECKING:
    from cli.publish.outgoing import Outgoing
    from cli.publish.publish_wait import PublishWait
    from shared.values.json_text import JsonObject

NOTHING_SENT: Final = 2
"""The exit status where no event was published."""


@click.command(
    "publish",
    help="Send the events of a file to an Event Grid topic. The text of each event is sent unchanged, except "
    "for its member `topic`, which Event Grid writes. The file holds an event, an array of events, or one "
    "event a line: all in Event Grid's schema, or all CloudEvents. This identity needs the role EventGrid "
    "Data Sender on the topic. With --wait, the command computes the runs from the rules file and shows "
    "their steps until they have ended. For that, this identity needs the right to read DAG Runs in each "
    "Airflow.",
    epilog="Exit status: 0 if the events are sent, and with --wait if every run succeeded. 1 with --wait: "
    "no rule matches an event, or a run failed, was rejected, cannot be followed or did not end in time. "
    "2 if nothing was sent.",
)
@click.argument("file", metavar="FILE", type=FILE, help="the file; - for standard input")
@click.option(
    "--topic", metavar="URL", help="the topic's endpoint (default: the setting UPDRAFT_TOPIC_ENDPOINT)"
)
@click.option("--new", is_flag=True, help="give each event a new id and the present time")
@wait_options(300, "follow each event to its runs, and show the timeline")
@click.option(
    "--source",
    metavar="ID",
    help="for --wait: the topic's resource id, from which the run ids of events in Event Grid's schema are "
    "computed; without it, their runs are found by the event's id",
)
@rules_option
@json_option
@local_option
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
    from cli.publish.publish_wait import PublishWait
    from cli.publish.topic import TOPIC_ENDPOINT, send

    try:
        events = read_outgoing(content_of(file), source or SOME_TOPIC, file)
        if new:
            events = [renewed(event) for event in events]
        followed = PublishWait(events, rules_file, exact=source is not None, quiet=as_json) if wait else None
        address = setting({TOPIC_ENDPOINT: topic} if topic else os.environ, TOPIC_ENDPOINT)
        sent = datetime.now(UTC)
        with waiting(f"publishing to {address}"):
            send(events, address)
    except EventError as error:
        return print_failure(EventError(f"{file}: {error}"), as_json=as_json, status=NOTHING_SENT)
    except UpdraftError as error:
        return print_failure(error, as_json=as_json, status=NOTHING_SENT)
    if not as_json:
        for event in events:
            print(printable(f"published {event.event.id}"), flush=True)
    findings = followed.run(sent, timeout) if followed is not None else []
    if as_json:
        print_json(report(findings, events=[_to_json(event, followed, sent) for event in events]))
    return 1 if findings else 0


def _to_json(event: "Outgoing", followed: "PublishWait | None", sent: datetime) -> "JsonObject":
    known: JsonObject = {"id": event.event.id, "type": event.event.type}
    return known if followed is None else known | followed.to_json(event.event.id, sent)
