"""Who may call us: an Entra token becomes an identity, and `callers` of rules.yaml says what it may do."""

from shared.callers.permissions import (
    Rates,
    check_conf,
    entry_applies,
    event_entry,
    outcome_entry,
    start_entry,
)
from shared.callers.signing_keys import SigningKeys
from shared.callers.verifier import Identity, TokenPolicy, TokenVerifier, tenant_issuers

__all__ = [
    "Identity",
    "Rates",
    "SigningKeys",
    "TokenPolicy",
    "TokenVerifier",
    "check_conf",
    "entry_applies",
    "event_entry",
    "outcome_entry",
    "start_entry",
    "tenant_issuers",
]
