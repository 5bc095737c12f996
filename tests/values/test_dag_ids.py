"""DAG ids: those that Airflow accepts, and the reason for each that it does not."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RulesError
from shared.rules import Rules, load_rules
from shared.values.dag_ids import PATTERN, dag_id_problem


def airflows_own(dag_id: str) -> bool:
    """Return the result of `airflow.utils.helpers.validate_key` of Airflow 3.3.2, with its defaults."""
    return len(dag_id) <= 250 and re.match(r"^[\w.-]+$", dag_id) is not None and ".." not in dag_id


@given(st.text(max_size=8) | st.text("ab.-_~/é\u0301\n٣ ", max_size=260))
def test_an_id_is_what_airflow_takes_for_one(dag_id: str) -> None:
    """The results differ from Airflow's only for a single dot, and for a line end, which Airflow accepts."""
    expected = airflows_own(dag_id) and not dag_id.endswith("\n") and dag_id != "."
    assert (dag_id_problem(dag_id) is None) is expected
    if expected:
        assert re.search(PATTERN, dag_id)


@pytest.mark.parametrize(
    "dag_id", ["données", "日次_レポート", "отчёт.v2", "smöke-tests", "a.b-c_d", "٣", "-", "x" * 250]
)
def test_a_rule_may_start_a_dag_of_any_alphabet(dag_id: str) -> None:
    """The request has the id as the rule has it."""
    (rule,) = rules_with(dag_id).rules
    assert rule.spec.start.dag == dag_id


@pytest.mark.parametrize(
    ("dag_id", "why"),
    [
        ("~", "not of '~'"),
        ("all~dags", "not of '~'"),
        ("..", "`..`"),
        ("a..b", "`..`"),
        (".", "`..`"),
        ("a/b", "not of '/'"),
        ("smoke tests", "not of ' '"),
        ("donne\u0301es", "not of '\\u0301'"),
        ("a\n", "U+000A LINE FEED"),
        ("x" * 251, "250"),
        ("", "not empty"),
    ],
)
def test_another_id_is_a_mistake_with_its_reason(dag_id: str, why: str) -> None:
    """An id that Airflow cannot have is refused; `~` means every DAG in its API."""
    with pytest.raises(RulesError) as caught:
        rules_with(dag_id)
    (problem,) = caught.value.problems
    assert why in problem.message
    assert problem.path == "start.dag"


def rules_with(dag_id: str) -> Rules:
    """Load a rule that starts this DAG."""
    return load_rules(
        "connections: {main: {url: 'https://a.example', auth: {kind: entra, scope: s}}}\n"
        f"rules: [{{name: r, when: {{types: [t]}}, start: {{dag: {json.dumps(dag_id)}}}}}]\n",
        file="rules.yaml",
        settings={},
    )
