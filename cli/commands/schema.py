"""`updraft schema`: the JSON Schema of rules.yaml, for editors."""

import click

from cli.output import print_json


@click.command(
    "schema",
    help="Print the JSON Schema of rules.yaml, with which an editor completes and explains it. The same "
    "schema is committed as docs/rules.schema.json.",
)
def command() -> int:
    """Print the schema."""
    from shared.rules.json_schema import rules_schema

    print_json(rules_schema())
    return 0
