"""Loading rules.yaml: read, check against the model, compile; every mistake at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from shared.errors import RulesError, TemplateError
from shared.event.via import HOOK_VIAS, Via
from shared.rules.compiled import Rule, Rules
from shared.rules.event_types import refuse_app, warn_of_types
from shared.rules.filters import Condition, FilterError, compile_filter
from shared.rules.model.callers import CallerSpec
from shared.rules.model.connection import CONNECTION_NAME, Connection
from shared.rules.model.file import RulesFile
from shared.rules.model.rule import AskedVia, RuleSpec
from shared.rules.problems import Mistakes, grouped
from shared.rules.readable_text import readable
from shared.rules.templates import BURST_NAMES, NAMES, JsonTemplate, Template, compile_json, compile_template
from shared.rules.yaml_document import Document, Path, read_yaml
from shared.values.app_settings import resolved, setting_names
from shared.values.guids import is_guid
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean, shown

_RULE_TEMPLATES: Final = ("dedupe_by", "latest_by")
_START_TEMPLATES: Final = ("note", "logical_date", "run_after")


def load_rules(text: str, *, file: str, settings: Mapping[str, str] | None) -> Rules:
    """Read rules.yaml and compile everything in it.

    Args:
        text: The whole file.
        file: Its name, for the problems.
        settings: The application settings that `%NAME%` in a connection stands for; None where they are
            not known (on the machine of the rules' author): then the names stay as they are, unchecked.

    Returns:
        The rules, with warnings of what may be a mistake.

    Raises:
        RulesError: The file has mistakes; holds all of them, each with its place, and the warnings.
    """
    document, problems = read_yaml(text, file=file)
    if document is None:
        raise RulesError(problems)
    mistakes = Mistakes(document, file)
    mistakes.extend(problems)
    checked = _check(document, settings, mistakes)
    rules = _compile(checked, document, mistakes) if checked is not None else None
    mistakes.warn_of_numbers()
    warnings = grouped(mistakes.warnings)
    if mistakes.problems or rules is None:
        raise RulesError(grouped(mistakes.problems), warnings)
    return replace(rules, warnings=tuple(warnings))


def _check(document: Document, settings: Mapping[str, str] | None, mistakes: Mistakes) -> RulesFile | None:
    """Check the file against the model, rule by rule, so that the mistakes of one do not hide another's."""
    root = readable(document.value, mistakes)
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
    return _sound_parts(prepared)


def _sound_parts(root: JsonObject) -> RulesFile | None:
    """Return the connections and rules that are right by themselves, for the checks that follow.

    A rule that is not right keeps its place, as None would: by an empty name that nothing refers to.
    """
    connections: dict[str, Connection] = {}
    entries = root.get("connections")
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        try:
            connections[name] = Connection.model_validate(entry)
        except ValidationError:
            continue
    rules: list[RuleSpec] = []
    listed = root.get("rules")
    for entry in listed if isinstance(listed, list) else ():
        try:
            rules.append(RuleSpec.model_validate(entry))
        except ValidationError:
            rules.append(_UNSOUND)
    known = list(entries) if isinstance(entries, dict) else []
    placeholders = {name: connections.get(name, _UNKNOWN_CONNECTION) for name in known}
    vaults = root.get("vaults")
    names = dict.fromkeys(vaults, "") if isinstance(vaults, dict) else {}
    return RulesFile.model_construct(vaults=names, connections=placeholders, rules=rules)


_UNSOUND: Final = RuleSpec.model_construct(name="")
_UNKNOWN_CONNECTION: Final = Connection.model_construct(name="", vault=None, api="auto")


def _named(name: str, entry: Json, settings: Mapping[str, str] | None, mistakes: Mistakes) -> Json:
    """Give a connection its name, and its texts the settings that they refer to."""
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


def _compile(checked: RulesFile, document: Document, mistakes: Mistakes) -> Rules:
    names: dict[str, int] = {}  # the line of each
    rules: list[Rule] = []
    compiler = _Compiler(checked.connections, mistakes)
    root = document.value if isinstance(document.value, dict) else {}
    lost = "vaults" not in root and any(_is_unknown(key) for key in root)  # then `vaults` may be misspelt
    for name, connection in checked.connections.items():
        if connection is not _UNKNOWN_CONNECTION:
            _warn_of_scopes(connection, ("connections", name), mistakes)
        if connection.vault is not None and connection.vault not in checked.vaults and not lost:
            known = f"write one of {', '.join(checked.vaults)}" if checked.vaults else "add it to `vaults`"
            hint = did_you_mean(connection.vault, checked.vaults) or f"; {known}"
            mistakes.add(("connections", name, "vault"), f"there is no vault {shown(connection.vault)}{hint}")
    for index, spec in enumerate(checked.rules):
        if spec is _UNSOUND:
            compiler.unsound(document.at(("rules", index)), ("rules", index))
            continue
        if spec.name in names:
            message = f"the name `{spec.name}` is taken by the rule in line {names[spec.name]}"
            mistakes.add(("rules", index, "name"), message, fix="write another name: names are unique")
        names.setdefault(spec.name, document.place(("rules", index, "name"))[0])
        rule = compiler.rule(spec, ("rules", index))
        warn_of_types(rule, ("rules", index), mistakes)
        refuse_app(rule, ("rules", index), mistakes)
        rules.append(rule)
    return Rules(
        checked.connections, tuple(rules), checked.vaults, compiler.callers(checked.callers, document)
    )


def _is_unknown(key: str) -> bool:
    return key not in RulesFile.model_fields and not key.startswith("x-")


def _warn_of_scopes(connection: Connection, path: Path, mistakes: Mistakes) -> None:
    """Warn of a scope of Entra ID without `/.default`, for which a managed identity gets no token."""
    several = isinstance(connection.auth, list)
    for index, auth in enumerate(connection.auths):
        place = (*path, "auth", index) if several else (*path, "auth")
        for key in ("scope", "assertion_scope") if auth.kind != "oidc" else ("assertion_scope",):
            scope = getattr(auth, key, None)
            if not scope or scope.endswith("/.default") or setting_names(scope):
                continue
            if "://" in scope or is_guid(scope):
                message = f"the scope {shown(scope)} does not end with `/.default`"
                mistakes.warn((*place, key), message, fix=f"write `{scope.rstrip('/')}/.default`")


class _Compiler:
    """Compiles the rules of one file, noting every mistake instead of stopping at one."""

    def __init__(self, connections: Mapping[str, Connection], mistakes: Mistakes) -> None:
        self._connections = connections
        self._mistakes = mistakes

    def rule(self, spec: RuleSpec, path: Path) -> Rule:
        by = spec.coalesce.by if spec.coalesce is not None else None
        names = NAMES if spec.coalesce is None else BURST_NAMES
        start = (*path, "start")
        types = [name.lower() for name in spec.when.types or ()]
        families = tuple(name[:-1] for name in types if name.endswith("*"))
        return Rule(
            name=spec.name,
            description=spec.description,
            enabled=spec.enabled,
            spec=spec,
            exact_types=frozenset(name for name in types if not name.endswith("*")),
            type_families=families,
            sources=tuple(source.lower() for source in spec.when.sources or ()),
            via=_via(spec.when.via or ()),
            condition=self._condition(spec.when.filter, (*path, "when", "filter")),
            connection=self._connection(spec, start),
            conf=self._conf(spec.start.conf, (*start, "conf"), names),
            note=self._template(spec.start.note, (*start, "note"), names, note=True),
            logical_date=self._template(spec.start.logical_date, (*start, "logical_date"), names),
            run_after=self._template(spec.start.run_after, (*start, "run_after"), names),
            dedupe_by=self._identity(spec.dedupe_by, (*path, "dedupe_by")),
            latest_by=self._template(spec.latest_by, (*path, "latest_by"), key=True),
            coalesce_by=self._template(by, (*path, "coalesce", "by"), key=True),
        )

    def _connection(self, spec: RuleSpec, start: Path) -> str:
        name = self._chosen(spec.start.connection, start)
        connection = self._connections.get(name)
        if connection is not None and connection.api == "v1" and spec.start.run_after is not None:
            self._mistakes.add(
                (*start, "run_after"),
                f"Airflow 2 (`api: v1` of connection `{name}`) has no `run_after`; leave it out",
            )
        return name

    def _chosen(self, name: str | None, path: Path) -> str:
        """Return the name of the connection that is meant; empty where that is a mistake."""
        if name is None:
            if len(self._connections) == 1:
                return next(iter(self._connections))
            if self._connections:
                known = ", ".join(self._connections)
                fix = f"write `connection: {next(iter(self._connections))}`; there is more than one: {known}"
                self._mistakes.add(path, "`connection` is missing", fix=fix)
            return ""
        # Where there is none, or one has a wrong name, that is the mistake.
        sound = self._connections and all(re.match(CONNECTION_NAME, each) for each in self._connections)
        if name not in self._connections and sound:
            hint = did_you_mean(name, self._connections) or f"; write one of {', '.join(self._connections)}"
            self._mistakes.add((*path, "connection"), f"there is no connection {shown(name)}{hint}")
        return name

    def callers(self, specs: Sequence[CallerSpec], document: Document) -> tuple[CallerSpec, ...]:
        """Return the entries of `callers`, each with its connection."""
        names: dict[str, int] = {}
        found: list[CallerSpec] = []
        for index, spec in enumerate(specs):
            path = ("callers", index)
            if spec.name in names:
                message = f"the name `{spec.name}` is taken by the caller in line {names[spec.name]}"
                fix = "write another name: names are unique"
                self._mistakes.add((*path, "name"), message, fix=fix)
            names.setdefault(spec.name, document.place((*path, "name"))[0])
            needed = spec.dags is not None or spec.outcomes is not None
            name = self._chosen(spec.connection, path) if needed else None
            found.append(spec.model_copy(update={"connection": name or None}))
        return tuple(found)

    def _identity(self, source: str | None, path: Path) -> Template | None:
        template = self._template(source, path, key=True)
        if template is not None and template.constant:
            message = f"{shown(template.source)} is the same for every event: all would have one run together"
            self._mistakes.add(path, message, fix='write a template, as in `"{{ id }}"`')
        return template

    def _template(
        self,
        source: str | None,
        path: Path,
        names: frozenset[str] = NAMES,
        *,
        key: bool = False,
        note: bool = False,
    ) -> Template | None:
        if source is None:
            return None
        try:
            return compile_template(source, names=names, key=key, note=note)
        except TemplateError as error:
            for problem in str(error).splitlines():  # each line is a mistake
                self._mistakes.add(path, problem)
            return None

    def _conf(self, conf: JsonObject, path: Path, names: frozenset[str]) -> JsonTemplate:
        def report(inner: Path, message: str) -> None:
            for problem in message.splitlines():  # each line is a mistake
                self._mistakes.add((*path, *inner), problem)

        return compile_json(conf, report, names=names)

    def _condition(self, spec: Json, path: Path) -> Condition | None:
        if spec is None:
            return None
        try:
            return compile_filter(spec)
        except FilterError as error:
            for inner, message in error.problems:
                self._mistakes.add((*path, *inner), message, key=inner != () and _is_of_key(message))
            return None

    def unsound(self, raw: Json, path: Path) -> None:
        """Check what can be checked of a rule that the model refuses, so that all mistakes show at once."""
        if not isinstance(raw, dict):
            return
        when, start = raw.get("when"), raw.get("start")
        if isinstance(when, dict):
            self._condition(when.get("filter"), (*path, "when", "filter"))
        self._texts(raw, _RULE_TEMPLATES, path, NAMES)
        names = BURST_NAMES  # it may have a `coalesce` that is not right itself
        if isinstance(start, dict):
            self._texts(start, _START_TEMPLATES, (*path, "start"), names)
            conf, connection = start.get("conf"), start.get("connection")
            if isinstance(conf, dict):
                self._conf(conf, (*path, "start", "conf"), names)
            if isinstance(connection, str):
                self._chosen(connection, (*path, "start"))

    def _texts(self, part: JsonObject, keys: Sequence[str], path: Path, names: frozenset[str]) -> None:
        for key in keys:
            value = part.get(key)
            if isinstance(value, str):
                self._template(value, (*path, key), names)


def _is_of_key(message: str) -> bool:
    """Tell whether a mistake of a filter is in a key, and not in its value."""
    return message.startswith("unknown key") or "does not belong" in message or "mean the same" in message


def _via(asked: Sequence[AskedVia]) -> frozenset[Via]:
    """Return the ways that `when.via` asks for, `hook/*` as the kinds of hooks."""
    found: set[Via] = set()
    for way in asked:
        found |= {*HOOK_VIAS.values()} if way == "hook/*" else {way}
    return frozenset(found)
