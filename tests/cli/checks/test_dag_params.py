"""The check of a conf against the params of a DAG, by Airflow's rules."""

import sys

import pytest

from cli.checks.dag_params import params_problems
from shared.errors import UpdraftError
from shared.values.json_text import Json, JsonObject, parse


def param(value: Json = None, **schema: Json) -> JsonObject:
    """Return a param as `GET /dags/{id}/details` has it."""
    return {"value": value, "schema": schema, "description": None, "source": "dag"}


def problems(params: dict[str, Json], conf: JsonObject) -> list[str]:
    """Return what is wrong with a conf."""
    return list(params_problems(params, conf))


@pytest.mark.parametrize(
    ("params", "conf"),
    [
        ({}, {"anything": 1}),
        ({"n": param(type="integer")}, {"n": 5, "_updraft": {"rule": "r"}}),
        ({"n": param(3, type="integer")}, {}),
        ({"n": param(type=["null", "string"])}, {}),
        ({"n": param()}, {"n": [1]}),
        ({"n": param(type="number", minimum=0)}, {"n": parse("0.10000000000000000001")}),
        ({"day": param(type="string", format="date")}, {"day": "2026-03-01"}),
        ({"odd": "not an object"}, {}),
    ],
)
def test_a_conf_that_satisfies_the_params_is_fine(params: dict[str, Json], conf: JsonObject) -> None:
    """A default replaces a missing member of conf, and a member that is not a param is accepted."""
    assert problems(params, conf) == []


@pytest.mark.parametrize(
    ("params", "conf", "words"),
    [
        (
            {"n": param(type="integer")},
            {"n": "5"},
            "param `n`: '5' is not of type 'integer' (a template that",
        ),
        ({"n": param(1, type="number")}, {"n": "5"}, "`| float` turns a text into a number"),
        ({"n": param(type="integer")}, {}, "param `n` has no default, and conf does not set it: add it"),
        (
            {"site": param(type="string")},
            {"siet": "a"},
            "does not set it (it sets `siet`): add it to `start.conf`",
        ),
        ({"n": param(type="integer", minimum=10)}, {"n": 5}, "5 is less than the minimum of 10"),
        ({"n": param(enum=["a", "b"])}, {"n": "c"}, "'c' is not one of ['a', 'b']"),
        ({"n": param("x", type="integer")}, {}, "the DAG's own default is refused: 'x' is not of type"),
        ({"n": param(type="integer")}, {"n": True}, "True is not of type 'integer'"),
        ({"n": param(type="array", items={"type": "string"})}, {"n": ["a", 1]}, "[1]: 1 is not of type"),
        ({"n": param(type="string", maxLength=3)}, {"n": "x" * 5000}, "…"),
        ({"day": param(type="string", format="date")}, {"day": "1 March"}, "'1 March' is not a 'date'"),
        ({"n": param(type="no type")}, {"n": 1}, "the DAG's schema for it is not a valid JSON Schema"),
    ],
)
def test_what_airflow_would_refuse_is_a_problem(
    params: dict[str, Json], conf: JsonObject, words: str
) -> None:
    """Each refused param is one problem, with the value, the wanted type and the fix."""
    [found] = problems(params, conf)
    assert words in found
    assert len(found) < 400


def test_a_text_may_stay_one() -> None:
    """The message suggests no number where the param accepts a text."""
    [found] = problems({"n": param(type=["integer", "string"], maxLength=1)}, {"n": "55"})
    assert "| int" not in found


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jsonschema, the message names the package to install."""
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(UpdraftError, match="pip install jsonschema"):
        problems({"n": param(type="integer")}, {"n": 1})
