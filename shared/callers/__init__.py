"""Who may call this app: an Entra token to an identity, and what `callers` of rules.yaml allows it.

jws_header        a token's header, before it is verified
errors            why a caller is refused
key_reads         how many threads wait for keys
signing_keys      the tenant's public keys
shared_secrets    secrets of Key Vault that others sign with too
github_signature  GitHub's signature of a delivery
verifier          a token to an identity
permissions       what an identity may do, and how often
stamps            an identity on an event, and back
"""

from shared.callers.permissions import (
    Rates,
    check_conf,
    check_may_report,
    check_may_send,
    entry_applies,
    event_entry,
    report_entry,
    start_entry,
    status_entry,
)
from shared.callers.signing_keys import SigningKeys
from shared.callers.stamps import identity_of, stamp_of
from shared.callers.verifier import Identity, TokenPolicy, TokenVerifier, tenant_issuers

__all__ = [
    "Identity",
    "Rates",
    "SigningKeys",
    "TokenPolicy",
    "TokenVerifier",
    "check_conf",
    "check_may_report",
    "check_may_send",
    "entry_applies",
    "event_entry",
    "identity_of",
    "report_entry",
    "stamp_of",
    "start_entry",
    "status_entry",
    "tenant_issuers",
]
