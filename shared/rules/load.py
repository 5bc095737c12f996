"""Loading rules.yaml: read it, check it against the model, compile it. All errors are collected."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from shared.errors import Problem, RulesError
from shared.rules.compiled import Rules
from shared.rules.model.connection import Connection
from shared.rules.model.file import RulesFile
from shared.rules.model.rule import RuleSpec
from shared.rules.problems import Mistakes, grouped
from shared.rules.readable_text import readable
from shared.rules.rule_compiler import INVALID_CONNECTION, INVALID_RULE, compile_rules
from shared.rules.yaml_document import Path, read_yaml
from shared.values.app_settings import resolved
from shared.values.json_text import Json, JsonObject


def load_rules(text: str, *, file: str, settings: Mapping[str, str] | None) -> Rules:
    """Read rules.yaml and compile everything in it.

    Args:
        text: The whole file.
        file: The file's name, for the problems.
        settings: The application settings that replace `%NAME%` in connections, vaults and callers. None if
            they are not known, as on the machine of the rules' author: `%NAME%` then stays unchecked.

    Returns:
        The rules, with the warnings.

    Raises:
        RulesError: The file has errors. It contains all of them with their positions, and the warnings.
    """
    try:
        return _load(text, file, settings)
    except RulesError as error:
        from shared.rules.indentation import reindented

        def errors(changed: str) -> Sequence[Problem]:
            try:
                _load(changed, file, settings)
            except RulesError as other:
                return other.problems
            return ()

        problems = reindented(text, error.problems, errors)
        raise RulesError(problems, error.warnings) from None


def _load(text: str, file: str, settings: Mapping[str, str] | None) -> Rules:
    """Load a file; arguments and errors as `load_rules`."""
    document, problems = read_yaml(text, file=file)
    if document is None:
        raise RulesError(problems)
    mistakes = Mistakes(document, file)
    mistakes.extend(problems)
    checked = _check(document.value, settings, mistakes)
    rules = compile_rules(checked, document, mistakes) if checked is not None else None
    mistakes.warn_of_numbers()
    warnings = grouped(mistakes.warnings)
    if mistakes.problems or rules is None:
        raise RulesError(grouped(mistakes.problems), warnings)
    return replace(rules, warnings=tuple(warnings))


def _check(value: Json, settings: Mapping[str, str] | None, mistakes: Mistakes) -> RulesFile | None:
    """Check the file against the model; an error in one rule does not hide the errors of another."""
    root = readable(value, mistakes)
    if not isinstance(root, dict):
        fix = "write `connections:` and `rules:`, each with a colon (docs/rules.md)"
        mistakes.add((), "the file must be an object with `connections` and `rules`", fix=fix)
        return None
    prepared = {key: value for key, value in root.items() if not key.startswith("x-")}
    connections = root.get("connections")
    if isinstance(connections, dict):
        prepared["connections"] = {
            name: _named(name, entry, settings, mistakes) for name, entry in connections.items()
        }
    if "vaults" in root:
        prepared["vaults"] = _resolve(root["vaults"], ("vaults",), settings, mistakes)
    callers = root.get("callers")
    if isinstance(callers, list):
        prepared["callers"] = [
            _resolve(entry, ("callers", index), settings, mistakes) for index, entry in enumerate(callers)
        ]
    try:
        return RulesFile.model_validate(prepared)
    except ValidationError as error:
        mistakes.add_all(error)
    return _valid_parts(prepared)


def _valid_parts(root: JsonObject) -> RulesFile | None:
    """Return the valid connections and rules of an invalid file, for the checks that follow.

    The others are replaced by `INVALID_CONNECTION` and `INVALID_RULE`, so that indices stay the same.
    """
    connections: dict[str, Connection] = {}
    entries = root.get("connections")
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        try:
            connections[name] = Connection.model_validate(entry)
        except ValidationError:
            connections[name] = INVALID_CONNECTION
    rules: list[RuleSpec] = []
    listed = root.get("rules")
    for entry in listed if isinstance(listed, list) else ():
        try:
            rules.append(RuleSpec.model_validate(entry))
        except ValidationError:
            rules.append(INVALID_RULE)
    vaults = root.get("vaults")
    names = dict.fromkeys(vaults, "") if isinstance(vaults, dict) else {}
    return RulesFile.model_construct(vaults=names, connections=connections, rules=rules)


def _named(name: str, entry: Json, settings: Mapping[str, str] | None, mistakes: Mistakes) -> Json:
    """Add the name to a connection, and replace `%NAME%` in it."""
    if not isinstance(entry, dict):
        return entry
    path = ("connections", name)
    if "name" in entry:
        fix = "leave it out: a connection's name is its key"
        mistakes.add((*path, "name"), "unknown key `name`", fix=fix, key=True)
    resolved = {key: _resolve(value, (*path, key), settings, mistakes) for key, value in entry.items()}
    return {**resolved, "name": name}


def _resolve(value: Json, path: Path, settings: Mapping[str, str] | None, mistakes: Mistakes) -> Json:
    if isinstance(value, dict):
        return {key: _resolve(item, (*path, key), settings, mistakes) for key, item in value.items()}
    if isinstance(value, list) and path[-1] == "clients":
        return [_resolve(item, (*path, index), settings, mistakes) for index, item in enumerate(value)]
    if not isinstance(value, str) or settings is None:
        return value
    text, problems = resolved(value, settings)
    for problem in problems:
        mistakes.add(path, problem)
    return value if problems else text
