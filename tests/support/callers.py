"""An authority whose keys a test can change, an entry of `callers`, and how a call is refused."""

from collections.abc import Callable, Iterator

import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import Reply, Request
from shared.callers import SigningKeys, TokenPolicy, TokenVerifier, tenant_issuers
from shared.callers.errors import CallerRefused
from shared.errors import KeysUnavailable
from shared.http_api.refusals import refusal_of
from shared.rules.model.callers import CallerSpec
from shared.values.json_text import Json, JsonObject
from shared.web import CallRefused
from tests.support.clocks import UnixClock

AUDIENCE = "api://updraft"
GUID = "00000000-0000-4000-8000-00000000000a"
OTHER = "00000000-0000-4000-8000-00000000000b"


class Authority(IdentityEndpoint):
    """An authority whose key set a test can change."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Json] | None = None
        self.jwks_uri: Json = None

    def handle(self, request: Request) -> Reply:
        """Answer with the test's documents if it has any."""
        if self.entries is not None and request.path.endswith("/keys"):
            return Reply(body={"keys": self.entries})
        reply = super().handle(request)
        if self.jwks_uri is not None and request.path.endswith("openid-configuration"):
            assert isinstance(reply.body, dict)
            return Reply(body={**reply.body, "jwks_uri": self.jwks_uri})
        return reply

    def entry(self, **changes: Json) -> JsonObject:
        """Return the key's entry, changed."""
        return {name: value for name, value in (self._published_key() | changes).items() if value is not None}

    def fetches(self) -> int:
        """Return how often the key set was fetched."""
        return len([seen for seen in self.seen if seen.path.endswith("/keys")])


def refusal(call: Callable[[], object]) -> CallRefused:
    """Return the answer to a caller whose call is refused."""
    with pytest.raises((CallRefused, CallerRefused, KeysUnavailable)) as caught:
        call()
    error = caught.value
    if isinstance(error, CallRefused):
        return error
    assert isinstance(error, CallerRefused | KeysUnavailable)
    return refusal_of(error)


def spec(**changes: object) -> CallerSpec:
    """Return an entry of `callers`."""
    return CallerSpec.model_validate({"name": "one", "object_id": GUID, "dags": ["a"], **changes})


@pytest.fixture
def authority() -> Iterator[Authority]:
    """A running authority."""
    with Authority() as authority:
        yield authority


@pytest.fixture
def keys(authority: Authority, clock: UnixClock) -> SigningKeys:
    """The authority's keys."""
    issuers = tenant_issuers(authority.url, authority.tenant_id)
    return SigningKeys(authority.url, authority.tenant_id, issuers=issuers, clock=clock)


@pytest.fixture
def verifier(authority: Authority, keys: SigningKeys) -> TokenVerifier:
    """A verifier of the authority's tokens."""
    issuers = tenant_issuers(authority.url, authority.tenant_id)
    return TokenVerifier(TokenPolicy(authority.tenant_id, issuers, frozenset({AUDIENCE})), keys)
