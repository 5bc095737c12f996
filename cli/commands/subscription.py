"""`updraft subscription`: what an Event Grid subscription has to say about the events that the rules need.

Its filter comes from the rules. Its retry policy and its dead-letter container are the same for all; the
reasons for them stand in docs/delivery.md, "The host's settings, and why".
"""

import json
import sys
from typing import TYPE_CHECKING, Final

import click

from cli.options import rules_option
from cli.output import listed, print_json
from cli.rules_file import load
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rules import Rule

RETRY_POLICY: Final[JsonObject] = {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
"""The most that Event Grid allows of either."""
DEAD_LETTER_CONTAINER: Final = "event-grid-dead-letters"
"""Where Event Grid puts what it gives up; never this app's own container, whose letters are believed."""
SOME_ACCOUNT: Final = "<resource id of the Storage account>"


@click.command(
    "subscription",
    help="Print the `properties` of an Event Grid subscription, but for its destination. The `filter` lets "
    "through every event that the rules match and few others, so that Event Grid does the coarse filtering. "
    "Where its limits, or the rules together, allow no narrower filter, more events come through, never "
    "fewer. One subscription for each rule is the narrowest: name the rule. What cannot be delivered for a "
    f"day goes into the container {DEAD_LETTER_CONTAINER}, from which `updraft replay` sends it again; it "
    "has to exist, and the topic's system-assigned identity needs the role Storage Blob Data Contributor "
    "there.",
    epilog="Exit status: 0; 1 where the rules have mistakes, or a named rule does not exist.",
)
@click.argument("names", nargs=-1, metavar="[RULE]...", help="rules by name (default: all enabled)")
@rules_option
@click.option(
    "--storage",
    metavar="ID",
    default=SOME_ACCOUNT,
    help="the resource id of the Storage account with that container (default: a gap to fill in)",
)
@click.option("--bicep", is_flag=True, help="print Bicep instead of JSON")
def command(*, names: tuple[str, ...], rules_file: str, storage: str, bicep: bool) -> int:
    """Print the properties.

    Returns:
        0; 1 where a named rule does not exist, or there is none.

    Raises:
        RulesError: The rules have mistakes.
    """
    rules = load(rules_file)
    known = [rule.name for rule in rules.rules]
    unknown = [name for name in names if rules.named(name) is None]
    for name in unknown:
        print(
            f"there is no rule `{name}`{did_you_mean(name, known)}; there are {listed(known)}",
            file=sys.stderr,
        )
    wanted = [rule for rule in rules.rules if rule.name in names or (not names and rule.enabled)]
    if not wanted and not unknown:
        print("no rule is enabled, so no event is needed", file=sys.stderr)
    if unknown or not wanted:
        return 1
    found = properties(wanted, storage)
    if bicep:
        print("\n".join(f"{name}: {to_bicep(value)}" for name, value in found.items()))
    else:
        print_json(found)
    return 0


def properties(rules: "Sequence[Rule]", storage: str) -> JsonObject:
    """Return the `properties` of an Event Grid subscription for some rules, but for its destination.

    Source: https://learn.microsoft.com/azure/templates/microsoft.eventgrid/eventsubscriptions.

    Args:
        rules: At least one rule.
        storage: The resource id of the account with the dead-letter container.
    """
    from shared.rules.event_grid_subscription import subscription_filter

    return {
        "filter": subscription_filter(rules),
        "retryPolicy": RETRY_POLICY,
        "deadLetterWithResourceIdentity": {
            "identity": {"type": "SystemAssigned"},
            "deadLetterDestination": {
                "endpointType": "StorageBlob",
                "properties": {"resourceId": storage, "blobContainerName": DEAD_LETTER_CONTAINER},
            },
        },
    }


def to_bicep(value: Json, indent: int = 0) -> str:
    """Return a JSON value as Bicep writes it.

    Source: https://learn.microsoft.com/azure/azure-resource-manager/bicep/data-types.
    """
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{name}: {to_bicep(item, indent + 2)}" for name, item in value.items()]
        return "\n".join(["{", *lines, " " * indent + "}"])
    if isinstance(value, list):
        lines = [f"{inner}{to_bicep(item, indent + 2)}" for item in value]
        return "\n".join(["[", *lines, " " * indent + "]"])
    if isinstance(value, str):
        return "'" + _escaped(value) + "'"
    if isinstance(value, float):
        return f"json('{value!r}')"  # Bicep has whole numbers only
    return json.dumps(value)


def _escaped(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    plain = plain.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return "".join(each if each.isprintable() else f"\\u{{{ord(each):x}}}" for each in plain)
