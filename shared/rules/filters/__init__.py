"""Event Grid's advanced filters, verbatim, with `all`, `any` and `not` on top."""

from shared.rules.filters.compiler import FilterError, compile_filter, path_text
from shared.rules.filters.conditions import All, Any, Comparison, Condition, Not
from shared.rules.filters.contradictions import contradiction
from shared.rules.filters.fields import APP_MEMBERS, MISSING, Fields, Key, Missing, parse_key
from shared.rules.filters.operators import OPERATORS, Compares, Operator

__all__ = [
    "APP_MEMBERS",
    "MISSING",
    "OPERATORS",
    "All",
    "Any",
    "Compares",
    "Comparison",
    "Condition",
    "Fields",
    "FilterError",
    "Key",
    "Missing",
    "Not",
    "Operator",
    "compile_filter",
    "contradiction",
    "parse_key",
    "path_text",
]
