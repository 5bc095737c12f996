"""A group of commands that imports a command's module only where that command is used."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """Commands, each of them the attribute `command` of the module with its name.

    Help, completion and "did you mean" take names and summaries from a table, so that they import no command.

    Args:
        package: The package of the modules.
        summaries: The line of each command in the help, by its name, in the order of the help.
        more: Further arguments of `click.Group`.
    """

    def __init__(self, *, package: str, summaries: Mapping[str, str], **more: Any) -> None:
        super().__init__(**more)
        self._package = package
        self._summaries = summaries

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `help COMMAND` as `COMMAND --help`, `help` as `--help`, and `--local` alone as no word."""
        words = [word for word in args if word != "--local"]
        if words[:1] == ["help"]:
            return super().parse_args(ctx, [*words[1:], "--help"])
        return super().parse_args(ctx, args if words else [])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order of the table."""
        return [*self._summaries]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a command; None for an unknown name."""
        if cmd_name not in self._summaries:
            return None
        command: click.Command = import_module(f"{self._package}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that a command line names.

        Raises:
            click.NoSuchCommand: There is no such command; the message names similar ones.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            known = [*self.list_commands(ctx), "help"]
            raise click.NoSuchCommand(error.command_name, possibilities=known, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the commands with their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([*self._summaries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[Any]]":
        """Return the completions for the shell: commands and options."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=summary)
            for name, summary in self._summaries.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]
