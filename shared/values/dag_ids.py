r"""Checks DAG ids as Airflow does.

`^[\w.-]+$` of at most 250 characters, of any alphabet (`airflow.utils.helpers.validate_key` of 2.9 to 3.4);
and since 3.3 no `..`, unless `[core] allow_double_dot_in_ids` allows it.
"""

import re
from typing import Final

LONGEST: Final = 250
"""Characters; also the width of the column in Airflow's database."""

PATTERN: Final = r"^(?!\.$)(?!.*\.\.)(?:[A-Za-z0-9_.-]|[^\x00-\x7f]){1,250}$"
r"""The same check for an editor, approximately: the `\w` of a JSON Schema is ASCII only (ECMA-262)."""

_ID: Final = re.compile(r"[\w.-]+")


def dag_id_problem(dag_id: str) -> str | None:
    """Return why Airflow does not accept this id; None if it does."""
    if not dag_id:
        return "a DAG's id is not empty"
    if len(dag_id) > LONGEST:
        return f"a DAG's id has at most {LONGEST} characters, and this has {len(dag_id)}"
    if _ID.fullmatch(dag_id) is None:
        wrong = next(each for each in dag_id if _ID.fullmatch(each) is None)
        return (
            f"a DAG's id is made of letters, digits and _ . - (Airflow refuses every other), not of {wrong!a}"
        )
    if ".." in dag_id or dag_id == ".":
        return "a DAG's id has no `..`, and is not `.`: in an address they mean another path"
    return None
