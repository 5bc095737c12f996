"""The live half of `updraft validate`: what only an Airflow can say against the rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from cli.dag_params import params_problems
from shared.delivery.paused_dags import Scheduling, scheduling_of
from shared.errors import UpdraftError
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from shared.airflow.client import AirflowClient
    from shared.airflow.response import AirflowResponse
    from shared.rules import Rules

_OK: Final = 200
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_FILES_SHOWN: Final = 3
REPORTS_TAG: Final = "updraft-reports"
"""The tag of a DAG whose runs report how they end. Airflow's API tells nothing about a DAG's callbacks, so
the package in for_airflow/ sets it (`updraft_airflow/policy.py`), or the DAG's author."""


@dataclass(frozen=True, slots=True)
class DagState:
    """What an Airflow says of a DAG.

    Attributes:
        exists: Whether the Airflow knows it, as far as it says.
        hidden: Whether it may be that it exists, but not for us: Airflow tells the two apart only to those
            who may read all DAGs.
        scheduling: Whether its runs would wait, or delay its drain.
        stale: Whether its file is gone, so that no run can be asked for.
        manual: Whether runs may be asked for at all; a DAG may allow its own schedule alone.
        reports: Whether its runs report how they end.
        import_error: Why its file cannot be read, if it cannot.
        params: Its params by name, each with its default and its JSON Schema; None where nobody could say.
        others: The ids of other DAGs, to find what was meant by one that does not exist.
        broken_files: The files that this Airflow cannot import: a missing DAG may be in one of them.
    """

    exists: bool
    hidden: bool = False
    scheduling: Scheduling = Scheduling.ACTIVE
    stale: bool = False
    manual: bool = True
    reports: bool = True
    import_error: str | None = None
    params: Mapping[str, Json] | None = None
    others: Sequence[str] = ()
    broken_files: Sequence[str] = ()

    def problems(self, dag_id: str) -> Iterator[str]:
        """Yield what stands against a run of the DAG, each with its remedy."""
        if self.import_error is not None:
            yield (
                f"the file of DAG `{dag_id}` cannot be imported: {self.import_error}; mend it and look at "
                "`airflow dags list-import-errors`"
            )
        elif not self.exists:
            broken = ", ".join(self.broken_files[:_FILES_SHOWN])
            also = f"; it may be in a file that cannot be imported there: {broken}" if broken else ""
            near = did_you_mean(dag_id, self.others)
            either = ", or none that this identity may read" if self.hidden else ""
            grant = ", or grant it can_read and can_edit on the DAG" if self.hidden else ""
            yield (
                f"there is no DAG `{dag_id}`{near}{either}: deploy it, or change the rule's `start.dag`"
                f"{grant}{also}"
            )
        elif self.stale:
            yield f"DAG `{dag_id}` is no longer in any file that Airflow reads: deploy its file again"
        if not self.manual:
            yield f"DAG `{dag_id}` does not allow manual runs: add `manual` to its `allowed_run_types`"
        if self.scheduling is Scheduling.PAUSED:
            yield f"DAG `{dag_id}` is paused, so its runs would wait: `airflow dags unpause {dag_id}`"
        if self.scheduling is Scheduling.DRAINING:
            yield (
                f"DAG `{dag_id}` is draining, and each run that is asked for delays that; then it is paused: "
                f"write `when_paused: hold` in its rules, or end the drain: `airflow dags unpause {dag_id}`"
            )

    def silence(self, dag_id: str) -> str | None:
        """Return what stands against hearing how a run of the DAG ended, with the remedy."""
        if self.reports or not self.exists or self.stale or self.import_error is not None:
            return None
        return (
            f"`track: callback` waits for a report that DAG `{dag_id}` does not send: end it with "
            "`report_run()`, or set `UpdraftNotifier()` as its `on_success_callback` and its "
            "`on_failure_callback` (docs/airflow-side.md), or leave `track` out. If it reports in another "
            f"way, give it the tag `{REPORTS_TAG}`"
        )


class AsksAirflow(Protocol):
    """Asks an Airflow about a DAG."""

    def dag(self, connection: str, dag_id: str) -> DagState:
        """Return what the Airflow behind a connection says of a DAG.

        Raises:
            UpdraftError: The Airflow cannot be asked.
        """
        ...


@dataclass(slots=True)
class RuleCheck:
    """One rule, put to the Airflow that it starts runs in.

    Attributes:
        rule: The rule's name.
        connection: The name of the connection.
        dag: The DAG's id.
        problems: What stands against its runs.
        confs: How many of the samples' confs satisfy the DAG's params; None where there are no params.
    """

    rule: str
    connection: str
    dag: str
    problems: list[str] = field(default_factory=list)
    confs: int | None = None

    def line(self) -> str:
        """Return the rule's line in the report, where nothing is wrong."""
        fits = ""
        if self.confs is not None:
            fits = (
                f", and the conf of {self.confs} of the samples satisfies its params"
                if self.confs
                else "; no sample shows whether conf satisfies its params"
            )
        return f"rule `{self.rule}`: connection `{self.connection}`: DAG `{self.dag}` is ready{fits}"


def live_checks(
    rules: "Rules", airflow: AsksAirflow, confs: Mapping[str, Sequence[tuple[str, JsonObject]]]
) -> Iterator[RuleCheck]:
    """Put every rule that is in force to its Airflow; one that cannot be asked is asked once.

    Args:
        rules: The rules.
        airflow: Whom to ask.
        confs: By the rule's name, the confs that samples would start it with, each with the sample's file.
    """
    silent: set[str] = set()
    states: dict[tuple[str, str], DagState] = {}
    for rule in rules.rules:
        if not rule.enabled:
            continue
        asked = (rule.connection, rule.spec.start.dag)
        check = RuleCheck(rule.name, *asked)
        where = f"rule `{rule.name}`: connection `{rule.connection}`"
        if rule.connection in silent:
            check.problems = [f"{where}: not asked about DAG `{check.dag}` either"]
            yield check
            continue
        try:
            state = states[asked] if asked in states else airflow.dag(*asked)
        except UpdraftError as error:
            silent.add(rule.connection)
            check.problems = [f"{where}: {error}"]
            yield check
            continue
        states[asked] = state
        check.problems = [f"{where}: {problem}" for problem in state.problems(check.dag)]
        if rule.spec.track == "callback" and (silence := state.silence(check.dag)) is not None:
            check.problems.append(f"{where}: {silence}")
        if state.params:
            _try_confs(check, state.params, confs.get(rule.name, ()))
        yield check


def _try_confs(check: RuleCheck, params: Mapping[str, Json], confs: Sequence[tuple[str, JsonObject]]) -> None:
    """Try the confs of the samples; a problem that many of them have is told once."""
    found: dict[str, list[str]] = {}
    check.confs = 0
    for file, conf in confs:
        problems = list(params_problems(params, conf))
        check.confs += not problems
        for problem in problems:
            found.setdefault(problem, []).append(file)
    for problem, files in found.items():
        more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
        check.problems.append(
            f"{files[0]}{more}: rule `{check.rule}`: DAG `{check.dag}` would refuse the conf: {problem}"
        )


class LiveAirflows:
    """Asks the Airflows of the rules, as the app would: with the same identity, secrets and time-outs.

    Args:
        rules: The rules, loaded with the settings below.
        environment: The application settings.
    """

    def __init__(self, rules: "Rules", environment: Mapping[str, str]) -> None:
        self._rules = rules
        self._environment = environment
        self._clients: dict[str, AirflowClient] = {}

    def dag(self, connection: str, dag_id: str) -> DagState:
        """Ask about a DAG; see `AsksAirflow`."""
        from shared.airflow.transport import segment

        client = self._client(connection)
        answer = client.get_dag(dag_id)
        if answer.body is not None and not answer.mismatch and answer.status in {_FORBIDDEN, _NOT_FOUND}:
            listing = client.get("/dags?limit=100")
            if listing.status == _OK:  # else nothing is known: the rights are missing as a whole
                return DagState(
                    exists=False,
                    hidden=answer.status == _FORBIDDEN,
                    others=_names(listing, "dags", "dag_id"),
                    broken_files=_names(client.get("/importErrors?limit=100"), "import_errors", "filename"),
                )
        dag = self._body(connection, answer)
        details = client.get(f"/dags/{segment(dag_id)}/details")
        params = details.body.get("params") if details.status == _OK and details.body else None
        run_types = dag.get("allowed_run_types")
        return DagState(
            exists=True,
            scheduling=scheduling_of(dag) or Scheduling.ACTIVE,
            stale=dag.get("is_stale") is True or dag.get("is_active") is False,
            manual=not isinstance(run_types, list) or "manual" in run_types,
            reports=REPORTS_TAG in _tags(dag),
            import_error=_import_error(client, dag) if dag.get("has_import_errors") is True else None,
            params=params if isinstance(params, dict) else None,
        )

    def _client(self, name: str) -> "AirflowClient":
        if name not in self._clients:
            from shared.airflow.connect import connect
            from shared.azure.credential import azure_credential
            from shared.azure.key_vault import Vaults
            from shared.settings import Settings

            connection = self._rules.connections[name]
            vaults = Vaults(Settings.of(self._environment), azure_credential)
            self._clients[name] = connect(connection, vaults, self._rules.vaults)
        return self._clients[name]

    def _body(self, connection: str, answer: "AirflowResponse") -> JsonObject:
        from shared.airflow.failure_table import AnswerClass, classify, explain

        row = classify(answer)
        if row.answer_class is AnswerClass.ANSWERED and answer.body is not None:
            return answer.body
        if answer.status == _NOT_FOUND and not answer.mismatch:
            why = answer.message or "no Airflow answers there: check the connection's url"
        else:
            why = explain(row, answer)
        raise UpdraftError(f"{self._rules.connections[connection].url} cannot be asked: {why}")


def _import_error(client: "AirflowClient", dag: JsonObject) -> str:
    """Return the last line of the trace that Airflow keeps of a DAG's file, as far as we may see it."""
    answer = client.get("/importErrors?limit=100")
    for found in _members(answer, "import_errors"):
        if found.get("filename") in {dag.get("relative_fileloc"), dag.get("fileloc")}:
            lines = str(found.get("stack_trace", "")).strip().splitlines()
            return f"{found['filename']}: {lines[-1].strip() if lines else 'no trace'}"
    return f"{dag.get('relative_fileloc') or dag.get('fileloc') or 'its file'}"


def _tags(dag: JsonObject) -> list[Json]:
    tags = dag.get("tags")
    return [tag.get("name") for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []


def _names(answer: "AirflowResponse", listed: str, name: str) -> list[str]:
    return [str(member[name]) for member in _members(answer, listed) if name in member]


def _members(answer: "AirflowResponse", listed: str) -> list[JsonObject]:
    """Return the objects of a listing; none where it may not be seen."""
    members = answer.body.get(listed) if answer.status == _OK and answer.body is not None else None
    return [each for each in members if isinstance(each, dict)] if isinstance(members, list) else []
