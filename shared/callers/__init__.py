"""Who may call this app: verifies Entra tokens, and checks `callers` of rules.yaml.

jws_header        a token's header, before it is verified
errors            the reasons to refuse a caller
key_reads         limits of threads that wait for keys
signing_keys      the tenant's public keys
shared_secrets    secrets of Key Vault that senders sign with
github_signature  GitHub's signature of a delivery
verifier          verifies a token and returns its identity
permissions       what an identity may do, and how often
stamps            writes an identity to an event, and reads it
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
