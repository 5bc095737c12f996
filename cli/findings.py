"""What a command has found to be wrong: one form for people and one for `--json`, in every command."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cli.output import plural, print_json, printable
from shared.errors import RulesError, UpdraftError
from shared.values.json_text import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes:
        code: One word, for programs.
        message: What is wrong, for people.
        fix: What to do; empty if the message has it.
        command: A command that does it, ready to paste; may be empty.
        severity: An `error` sets the exit status 1, a `warning` does not.
        connection: The connection with the fault; may be empty.
        dags: The DAGs with the fault.
        rules: The rules that it concerns.
    """

    code: str
    message: str
    fix: str = ""
    command: str = ""
    severity: Literal["error", "warning"] = "error"
    connection: str = ""
    dags: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the lines for people: connection, message and rules, and on a second line the fix."""
        where = f"connection `{self.connection}`: " if self.connection else ""
        word = "rule" if len(self.rules) == 1 else "rules"
        concerns = f" ({word} {quoted(self.rules)})" if self.rules else ""
        kind = "warning: " if self.severity == "warning" else ""
        yield f"{kind}{where}{self.message}{concerns}"
        if remedy := ": ".join(filter(None, (self.fix, self.command and f"`{self.command}`"))):
            yield f"  fix: {remedy}"

    def to_json(self) -> JsonObject:
        """Return its member of a `--json` document, without empty values."""
        members: dict[str, Json] = {
            "code": self.code,
            "message": self.message,
            "fix": self.fix,
            "command": self.command,
            "connection": self.connection,
            "dags": [*self.dags],
            "rules": [*self.rules],
        }
        return {name: value for name, value in members.items() if value}


def document(
    errors: Iterable[JsonObject], warnings: Iterable[JsonObject] = (), **members: Json
) -> JsonObject:
    """Return the `--json` document: the members of every command, and the command's own.

    Args:
        errors: What is wrong; each has a `code` and a `message`.
        warnings: What may be wrong.
        members: The command's own members.
    """
    wrong: list[Json] = [*errors]
    doubtful: list[Json] = [*warnings]
    return {"ok": not wrong, "errors": wrong, "warnings": doubtful, **members}


def report(findings: Sequence[Finding], **members: Json) -> JsonObject:
    """Return the document of a command's findings; arguments as `document`."""
    errors, warnings = split(findings)
    return document((each.to_json() for each in errors), (each.to_json() for each in warnings), **members)


def marked(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the lines of findings; an error is marked, where other lines are around it."""
    for finding in findings:
        first, *more = finding.lines()
        yield f"error: {first}" if finding.severity == "error" else first
        yield from more


def print_findings(findings: Iterable[Finding], *, mark: bool = False) -> None:
    """Write findings to standard error, for people.

    Args:
        findings: The findings.
        mark: Whether an error begins with `error:`, because other lines are around it.
    """
    for finding in findings:
        for line in marked([finding]) if mark else finding.lines():
            print(printable(line), file=sys.stderr, flush=True)


def print_failure(error: UpdraftError, *, as_json: bool, status: int = 1) -> int:
    """Write why a command could not do its work, and return its exit status.

    Args:
        error: The reason: mistakes of a rules file, or another failure.
        as_json: Whether `--json` was given, so that it is a document on standard output.
        status: The exit status.
    """
    from cli.rules_problems import print_problems, problems_json

    if isinstance(error, RulesError):
        if as_json:
            print_json(document(problems_json(error.problems), problems_json(error.warnings)))
        else:
            print_problems(error.problems, error.warnings)
    elif as_json:
        print_json(document([{"code": "Failed", "message": str(error)}]))
    else:
        print(error, file=sys.stderr)  # the error has made its lines visible
    return status


def split(findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the errors and the warnings among findings."""
    errors = [each for each in findings if each.severity == "error"]
    return errors, [each for each in findings if each.severity == "warning"]


def counted(errors: int, warnings: int) -> str:
    """Return `2 errors, 1 warning`, or `nothing wrong`."""
    found = [plural(count, name) for count, name in ((errors, "error"), (warnings, "warning")) if count]
    return ", ".join(found) or "nothing wrong"


def quoted(names: Iterable[str]) -> str:
    """Return names in backquotes, one after another."""
    return ", ".join(f"`{name}`" for name in names)
