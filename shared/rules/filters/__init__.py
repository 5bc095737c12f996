"""Event Grid's advanced filters, with `all`, `any` and `not` around them.

fields        the values that filters ask for, and their keys
key_spelling  keys spelt as in templates
operators     the operators, as a table
comparisons   one comparison of the file to a condition
conditions    conditions on an event
compiler      a whole filter to a condition, or all its mistakes
"""

from shared.rules.filters.compiler import FilterError, compile_filter, path_text
from shared.rules.filters.conditions import All, Any, Comparison, Condition, Not, certain_comparisons
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
    "certain_comparisons",
    "compile_filter",
    "parse_key",
    "path_text",
]
