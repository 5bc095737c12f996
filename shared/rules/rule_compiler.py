"""The model of rules.yaml to compiled rules. All errors are collected."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from shared.errors import TemplateError
from shared.event.via import HOOK_VIAS, Via
from shared.rules.compiled import Rule, Rules
from shared.rules.event_types import refuse_app, warn_of_types
from shared.rules.filters import Condition, FilterError, compile_filter
from shared.rules.model.callers import CallerSpec
from shared.rules.model.connection import CONNECTION_NAME, Connection
from shared.rules.model.file import RulesFile
from shared.rules.model.rule import AskedVia, RuleSpec
from shared.rules.problems import Mistakes
from shared.rules.templates import BURST_NAMES, NAMES, JsonTemplate, Template, compile_json, compile_template
from shared.rules.yaml_document import Document, Path
from shared.values.app_settings import setting_names
from shared.values.guids import is_guid
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean, shown

INVALID_RULE: Final = RuleSpec.model_construct(name="")
"""Stands for a rule that the model refuses."""
INVALID_CONNECTION: Final = Connection.model_construct(name="", vault=None, api="auto")
"""Stands for a connection that the model refuses."""

_RULE_TEMPLATES: Final = ("dedupe_by", "latest_by")
_START_TEMPLATES: Final = ("note", "logical_date", "run_after")


def compile_rules(checked: RulesFile, document: Document, mistakes: Mistakes) -> Rules:
    """Compile the rules and callers, and check what the model cannot check.

    Args:
        checked: The file's model, with `INVALID_RULE` and `INVALID_CONNECTION` for invalid parts.
        document: The file.
        mistakes: Takes the errors and warnings.
    """
    _check_connections(checked, document, mistakes)
    compiler = _Compiler(checked.connections, mistakes)
    rules: list[Rule] = []
    names: dict[str, int] = {}
    for index, spec in enumerate(checked.rules):
        path = ("rules", index)
        if spec is INVALID_RULE:
            compiler.check_invalid(document.at(path), path)
            continue
        _check_unique(spec.name, names, (*path, "name"), document, mistakes)
        rule = compiler.rule(spec, path)
        warn_of_types(rule, path, mistakes)
        refuse_app(rule, path, mistakes)
        rules.append(rule)
    names = {}
    callers: list[CallerSpec] = []
    for index, caller in enumerate(checked.callers):
        _check_unique(caller.name, names, ("callers", index, "name"), document, mistakes)
        callers.append(compiler.caller(caller, ("callers", index)))
    return Rules(checked.connections, tuple(rules), checked.vaults, tuple(callers))


def _check_connections(checked: RulesFile, document: Document, mistakes: Mistakes) -> None:
    root = document.value if isinstance(document.value, dict) else {}
    vaults_misspelt = "vaults" not in root and any(
        key not in RulesFile.model_fields and not key.startswith("x-") for key in root
    )
    for name, connection in checked.connections.items():
        if connection is INVALID_CONNECTION:
            continue
        _warn_of_scopes(connection, ("connections", name), mistakes)
        vault = connection.vault
        if vault is not None and vault not in checked.vaults and not vaults_misspelt:
            known = f"write one of {', '.join(checked.vaults)}" if checked.vaults else "add it to `vaults`"
            hint = did_you_mean(vault, checked.vaults) or f"; {known}"
            mistakes.add(("connections", name, "vault"), f"there is no vault {shown(vault)}{hint}")


def _check_unique(
    name: str, lines: dict[str, int], path: Path, document: Document, mistakes: Mistakes
) -> None:
    """Add an error if a name is in `lines` already; otherwise add the name and its line."""
    if name in lines:
        kind = "rule" if path[0] == "rules" else "caller"
        message = f"the name `{name}` is taken by the {kind} on line {lines[name]}"
        mistakes.add(path, message, fix="write another name: names are unique")
    lines.setdefault(name, document.position(path)[0])


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
    """Compiles the rules and callers of one file."""

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
            connection=self._rule_connection(spec, start),
            conf=self._conf(spec.start.conf, (*start, "conf"), names),
            note=self._template(spec.start.note, (*start, "note"), names, note=True),
            logical_date=self._template(spec.start.logical_date, (*start, "logical_date"), names),
            run_after=self._template(spec.start.run_after, (*start, "run_after"), names),
            dedupe_by=self._identity(spec.dedupe_by, (*path, "dedupe_by")),
            latest_by=self._template(spec.latest_by, (*path, "latest_by"), key=True),
            coalesce_by=self._template(by, (*path, "coalesce", "by"), key=True),
        )

    def caller(self, spec: CallerSpec, path: Path) -> CallerSpec:
        """Return an entry of `callers` with its connection."""
        needed = spec.dags is not None or spec.outcomes is not None
        name = self._connection(spec.connection, path) if needed else ""
        return spec.model_copy(update={"connection": name or None})

    def check_invalid(self, raw: Json, path: Path) -> None:
        """Check the filter, the templates and the connection of a rule that the model refuses."""
        if not isinstance(raw, dict):
            return
        when, start = raw.get("when"), raw.get("start")
        if isinstance(when, dict):
            self._condition(when.get("filter"), (*path, "when", "filter"))
        self._texts(raw, _RULE_TEMPLATES, path, NAMES)
        names = BURST_NAMES  # its `coalesce` may be the invalid part
        if isinstance(start, dict):
            self._texts(start, _START_TEMPLATES, (*path, "start"), names)
            conf, connection = start.get("conf"), start.get("connection")
            if isinstance(conf, dict):
                self._conf(conf, (*path, "start", "conf"), names)
            if isinstance(connection, str):
                self._connection(connection, (*path, "start"))

    def _texts(self, part: JsonObject, keys: Sequence[str], path: Path, names: frozenset[str]) -> None:
        for key in keys:
            value = part.get(key)
            if isinstance(value, str):
                self._template(value, (*path, key), names)

    def _rule_connection(self, spec: RuleSpec, start: Path) -> str:
        name = self._connection(spec.start.connection, start)
        connection = self._connections.get(name)
        if connection is not None and connection.api == "v1" and spec.start.run_after is not None:
            self._mistakes.add(
                (*start, "run_after"),
                f"Airflow 2 (`api: v1` of connection `{name}`) has no `run_after`; leave it out",
            )
        return name

    def _connection(self, name: str | None, path: Path) -> str:
        """Return the name of a connection, by default the only one; empty after an error."""
        if name is None:
            if len(self._connections) == 1:
                return next(iter(self._connections))
            if self._connections:
                known = ", ".join(self._connections)
                fix = f"write `connection: {next(iter(self._connections))}`; there is more than one: {known}"
                self._mistakes.add(path, "`connection` is missing", fix=fix)
            return ""
        # If `connections` is empty or has an invalid name, that is already an error.
        valid = self._connections and all(re.match(CONNECTION_NAME, each) for each in self._connections)
        if name not in self._connections and valid:
            hint = did_you_mean(name, self._connections) or f"; write one of {', '.join(self._connections)}"
            self._mistakes.add((*path, "connection"), f"there is no connection {shown(name)}{hint}")
        return name

    def _identity(self, source: str | None, path: Path) -> Template | None:
        template = self._template(source, path, key=True)
        if template is not None and template.constant:
            message = (
                f"{shown(template.source)} is the same for every event, so all events would share one run"
            )
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
            self._add_lines(path, str(error))
            return None

    def _conf(self, conf: JsonObject, path: Path, names: frozenset[str]) -> JsonTemplate:
        def report(inner: Path, message: str) -> None:
            self._add_lines((*path, *inner), message)

        return compile_json(conf, report, names=names)

    def _add_lines(self, path: Path, message: str) -> None:
        """Add the errors of a template: one in each line of the message."""
        for problem in message.splitlines():
            self._mistakes.add(path, problem)

    def _condition(self, spec: Json, path: Path) -> Condition | None:
        if spec is None:
            return None
        try:
            return compile_filter(spec)
        except FilterError as error:
            for inner, message in error.problems:
                self._mistakes.add((*path, *inner), message, key=inner != () and _is_of_key(message))
            return None


def _is_of_key(message: str) -> bool:
    """Return whether an error of a filter is in a key, not in its value."""
    return message.startswith("unknown key") or "does not belong" in message or "mean the same" in message


def _via(asked: Sequence[AskedVia]) -> frozenset[Via]:
    """Return the channels of `when.via`, with all hooks for `hook/*`."""
    found: set[Via] = set()
    for channel in asked:
        found |= {*HOOK_VIAS.values()} if channel == "hook/*" else {channel}
    return frozenset(found)
