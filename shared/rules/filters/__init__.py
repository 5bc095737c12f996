"""Event Grid's advanced filters, with `all`, `any` and `not` around them.

fields        the values of an event, and the keys that name them
key_spelling  the right spelling of keys that are written as in templates
operators     the operators, as a table
comparisons   compiles one comparison
conditions    conditions on an event
compiler      compiles a whole filter, or collects its errors
"""

from shared.rules.filters.compiler import FilterError, compile_filter
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
]
