"""The checks of `updraft validate --live`: each rule against its Airflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.checks.dag_params import params_problems
from cli.checks.diagnosis import diagnose
from cli.findings import Finding
from cli.key_vaults import key_vaults
from shared.values.json_text import Json, JsonObject

if TYPE_CHECKING:
    from cli.checks.diagnosis import Diagnosis
    from shared.rules import Rule, Rules

type Confs = Mapping[str, Sequence[tuple[str, JsonObject]]]
"""By rule: the conf of each sample that the rule matches, with the sample's file."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule whose runs can start.

    Attributes:
        rule: The rule's name.
        connection: The name of the connection.
        dag: The DAG's id.
        confs: How many confs of samples satisfy the DAG's params; None for a DAG without params.
    """

    rule: str
    connection: str
    dag: str
    confs: int | None = None

    def line(self) -> str:
        """Return the rule's line in the report."""
        fits = ""
        if self.confs is not None:
            fits = (
                f", and the conf of {self.confs} of the samples satisfies its params"
                if self.confs
                else "; its params are not checked: no sample of `--samples DIR` matches the rule"
            )
        return f"rule `{self.rule}`: connection `{self.connection}`: DAG `{self.dag}` is ready{fits}"

    def to_json(self) -> JsonObject:
        """Return its member of the `--json` document."""
        return {"rule": self.rule, "connection": self.connection, "dag": self.dag, "confs": self.confs}


@dataclass(slots=True)
class Live:
    """The result for all Airflows.

    Attributes:
        ready: The rules whose runs can start.
        findings: What is wrong, one for each cause.
    """

    ready: list[Ready] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def live_checks(rules: "Rules", environment: Mapping[str, str], confs: Confs) -> Live:
    """Check every enabled rule against its Airflow, with the app's client.

    Args:
        rules: The rules, loaded with the settings below.
        environment: The application settings.
        confs: The confs of the samples.
    """
    vaults = key_vaults(environment)
    live = Live()
    for name in dict.fromkeys(rule.connection for rule in rules.rules if rule.enabled):
        found = diagnose(rules, name, vaults)
        live.findings += found.findings
        for dag_id, dag_rules in found.rules.items():
            for rule in dag_rules:
                _check(live, found, dag_id, rule, confs.get(rule.name, ()))
    return live


def _check(
    live: Live, found: "Diagnosis", dag_id: str, rule: "Rule", confs: Sequence[tuple[str, JsonObject]]
) -> None:
    """Check the confs of one rule against the DAG's params, and add the rule to the result."""
    state = found.dags.get(dag_id)
    if state is None:
        return
    fitting: int | None = None
    refused: dict[str, list[str]] = {}
    if state.params:
        fitting, refused = _tried(state.params, confs)
    live.findings += [_refusal(found, dag_id, rule, problem, files) for problem, files in refused.items()]
    against = [each for each in found.findings if each.severity == "error" and rule.name in each.rules]
    if not refused and not against:
        live.ready.append(Ready(rule.name, rule.connection, dag_id, fitting))


def _tried(
    params: Mapping[str, Json], confs: Sequence[tuple[str, JsonObject]]
) -> tuple[int, dict[str, list[str]]]:
    """Return how many confs satisfy the params, and by problem the samples that have it."""
    fitting = 0
    refused: dict[str, list[str]] = {}
    for file, conf in confs:
        problems = list(params_problems(params, conf))
        fitting += not problems
        for problem in problems:
            refused.setdefault(problem, []).append(file)
    return fitting, refused


def _refusal(found: "Diagnosis", dag_id: str, rule: "Rule", problem: str, files: Sequence[str]) -> Finding:
    more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
    return Finding(
        "ConfRefused",
        f"{files[0]}{more}: DAG `{dag_id}` would refuse the conf: {problem}",
        connection=found.connection.name,
        dags=(dag_id,),
        rules=(rule.name,),
    )
