"""Fixtures: a running authority, its keys by a clock of the test's own, and a verifier of its tokens."""

from collections.abc import Iterator

import pytest

from shared.callers import SigningKeys, TokenPolicy, TokenVerifier, tenant_issuers
from tests.support.caller_parts import AUDIENCE, Authority
from tests.support.endpoints import Clock


@pytest.fixture
def authority() -> Iterator[Authority]:
    """A running authority."""
    with Authority() as authority:
        yield authority


@pytest.fixture
def keys(authority: Authority, clock: Clock) -> SigningKeys:
    """The authority's keys."""
    issuers = tenant_issuers(authority.url, authority.tenant_id)
    return SigningKeys(authority.url, authority.tenant_id, issuers=issuers, clock=clock)


@pytest.fixture
def verifier(authority: Authority, keys: SigningKeys) -> TokenVerifier:
    """A verifier of the authority's tokens."""
    issuers = tenant_issuers(authority.url, authority.tenant_id)
    return TokenVerifier(TokenPolicy(authority.tenant_id, issuers, frozenset({AUDIENCE})), keys)
