"""`updraft subscription`: print an Event Grid subscription for the rules.

The rules determine its filter. Its retry policy and its dead-letter container are the same for all rules; for
the reasons, see docs/delivery.md, "The host's settings, and why".
"""

import json
import sys
from typing import TYPE_CHECKING, Final

import click

from cli.options import local_option, rules_option
from cli.output import listed, print_json
from cli.rules_file import load
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rules import Rule

RETRY_POLICY: Final[JsonObject] = {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
"""The largest values that Event Grid allows."""
DEAD_LETTER_CONTAINER: Final = "event-grid-dead-letters"
"""The container of Event Grid's dead letters; never the app's own, because the app believes its content."""
SOME_ACCOUNT: Final = "<resource id of the Storage account>"


@click.command(
    "subscription",
    help="Print the `properties` of an Event Grid subscription for the rules, without its destination. The "
    "`filter` passes every event that the rules match, and as few others as the limits of Event Grid allow. "
    "The narrowest filter is one subscription for each rule: name the rule. An event that Event Grid cannot "
    f"deliver for a day goes into the container {DEAD_LETTER_CONTAINER}. `updraft replay send --container` "
    "sends it again. The container must exist, and the system-assigned identity of the topic needs the role "
    "Storage Blob Data Contributor on it.",
    epilog="Exit status: 0. 1 if the rules have errors, or a named rule does not exist.",
)
@click.argument("names", nargs=-1, metavar="[RULE]...", help="names of rules (default: all enabled rules)")
@rules_option
@click.option(
    "--storage",
    metavar="ID",
    default=SOME_ACCOUNT,
    help="the resource id of the Storage account with that container (default: a placeholder)",
)
@click.option("--bicep", is_flag=True, help="print Bicep instead of JSON")
@local_option
def command(*, names: tuple[str, ...], rules_file: str, storage: str, bicep: bool) -> int:
    """Print the properties.

    Returns:
        0; 1 if a named rule does not exist, or no rule is enabled.

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
        print("no rule is enabled, so there is no filter to print", file=sys.stderr)
    if unknown or not wanted:
        return 1
    found = properties(wanted, storage)
    if bicep:
        print("\n".join(f"{name}: {to_bicep(value)}" for name, value in found.items()))
    else:
        print_json(found)
    return 0


def properties(rules: "Sequence[Rule]", storage: str) -> JsonObject:
    """Return the `properties` of an Event Grid subscription for some rules, without its destination.

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
