"""`updraft schema`: print the JSON Schema of rules.yaml, for editors."""

import click

from cli.options import local_option
from cli.output import print_json


@click.command(
    "schema",
    help="Print the JSON Schema of rules.yaml. With it, an editor completes keys and explains them. The file "
    "docs/rules.schema.json has the same content.",
)
@local_option
def command() -> int:
    """Print the schema."""
    from shared.rules.json_schema import rules_schema

    print_json(rules_schema())
    return 0
