"""Checks whether a conf satisfies the params of a DAG, by the rules of Airflow.

Airflow replaces the defaults of the params by the values of conf, takes further members of conf as params
without a schema, and validates each param (`dag.params.deep_merge(conf)` and `.validate()` in Airflow 3's
`serialization/definitions/dag.py`). It answers 400 to a run that fails this check.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from shared.errors import UpdraftError
from shared.runs.provenance import RESERVED
from shared.values.json_text import Json, JsonObject

_SHOWN: Final = 200
_CASTS: Final = {"integer": "int", "number": "float"}


def params_problems(params: Mapping[str, Json], conf: JsonObject) -> Iterator[str]:
    """Yield each reason for which Airflow would refuse a conf, with the fix.

    Args:
        params: The DAG's params by name, as `GET /dags/{id}/details` has them: each an object with `value`,
            the default, and `schema`, its JSON Schema.
        conf: The conf of a run.

    Raises:
        UpdraftError: The library that checks JSON Schemas is not installed.
    """
    sent: JsonObject = json.loads(json.dumps(conf))  # as Airflow gets it: plain numbers and lists
    for name, param in params.items():
        if not isinstance(param, dict):
            continue
        schema, default = param.get("schema"), param.get("value")
        reason = _refusal(sent.get(name, default), schema if isinstance(schema, dict) else {})
        if reason is None:
            continue
        if name in sent:
            yield f"param `{name}`: {reason}{_cast(sent[name], schema)}"
        elif default is None:  # Airflow's own mark of a param without a default
            others = [key for key in sent if key not in params and key != RESERVED]
            instead = f" (it sets {', '.join(f'`{key}`' for key in others)})" if others else ""
            yield f"param `{name}` has no default, and conf does not set it{instead}: add it to `start.conf`"
        else:
            yield f"param `{name}`: the DAG's own default is refused: {reason}"


def _refusal(value: Json, schema: JsonObject) -> str | None:
    """Return why a JSON Schema refuses a value, or None if it accepts the value."""
    try:
        from jsonschema import FormatChecker, SchemaError
        from jsonschema.exceptions import best_match
        from jsonschema.validators import validator_for
    except ImportError as error:
        raise UpdraftError(
            "checking conf against a DAG's params needs the library jsonschema: `make setup` installs "
            "it, and so does `pip install jsonschema`"
        ) from error
    try:
        validator = validator_for(schema)
        validator.check_schema(schema)
        found = best_match(validator(schema, format_checker=FormatChecker()).iter_errors(value))
    except SchemaError as error:
        return f"the DAG's schema for it is not a valid JSON Schema: {_clipped(error.message)}"
    if found is None:
        return None
    inside = found.json_path.removeprefix("$")
    return f"{inside + ': ' if inside else ''}{_clipped(found.message)}"


def _cast(value: Json, schema: Json) -> str:
    """Return the hint for a text where the schema wants a number; empty for other mistakes."""
    wanted = schema.get("type") if isinstance(schema, dict) else None
    cast = next((_CASTS[each] for each in _listed(wanted) if each in _CASTS), None)
    if not isinstance(value, str) or cast is None or "string" in _listed(wanted):
        return ""
    return f" (a template that ends in `| {cast}` turns a text into a number)"


def _listed(wanted: Json) -> list[str]:
    return [str(each) for each in wanted] if isinstance(wanted, list) else [str(wanted)]


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
