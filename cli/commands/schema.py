"""`updraft schema`: the JSON Schema of rules.yaml, for editors."""

import argparse
import json

from cli.rules_file import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Register the command."""
    subparsers.add_parser(
        "schema",
        help="print the JSON Schema of rules.yaml",
        description="Print the JSON Schema of rules.yaml, with which an editor completes and explains it. "
        "The same schema is committed as docs/rules.schema.json.",
    )


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 - every command's signature
    """Print the schema."""
    from shared.rules.json_schema import rules_schema  # noqa: PLC0415 - imports pydantic

    print(json.dumps(rules_schema(), indent=2))
    return 0
