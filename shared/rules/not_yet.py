"""Keys of rules.yaml that are part of the language, but that this version does not carry out yet.

A rule that uses one is refused, rather than having it ignored in silence. When one is built, its line here
is taken out; the model, the schema and the checks know it already.
"""

from shared.rules.model.rule import RuleSpec


def not_yet_available(rule: RuleSpec) -> list[str]:
    """Return the keys that the rule uses and this version does not carry out."""
    used = {"track": rule.track == "poll"}
    return [key for key, is_used in used.items() if is_used]
