"""The verifier of callers' tokens, beyond the table of `tests/security/attack_tokens.py`."""

import time
from functools import partial

from local.stand_ins.identity_endpoint import Identity
from shared.callers import TokenVerifier, tenant_issuers
from shared.callers.verifier import LONGEST_TOKEN
from shared.callers.verifier import Identity as Caller
from tests.support.callers import AUDIENCE, GUID, Authority, refusal


class TestVerifier:
    """Tokens that the table does not have."""

    def test_an_identity_is_read(self, authority: Authority, verifier: TokenVerifier) -> None:
        """Object id, client id, groups and roles come from the claims; other types are ignored."""
        who = Identity()
        token = authority.issue(AUDIENCE, who, groups=[GUID.upper(), 7], roles=["Runs.Start"])
        assert verifier.verify(token) == Caller(
            who.object_id,
            who.client_id,
            is_app=True,
            groups=frozenset({GUID}),
            roles=frozenset({"Runs.Start"}),
        )

    def test_a_users_token_is_a_users(self, authority: Authority, verifier: TokenVerifier) -> None:
        """A token with a delegated scope is the user's, from any application."""
        who = verifier.verify(authority.issue(AUDIENCE, scp="Runs.Start  Other", roles=["Runs.Start"]))
        assert (who.is_app, who.scopes) == (False, frozenset({"Runs.Start", "Other"}))
        assert not verifier.verify(authority.issue(AUDIENCE, idtyp="user")).is_app
        assert verifier.verify(authority.issue(AUDIENCE, scp=" ")).scopes == frozenset()

    def test_clocks_may_be_a_minute_apart(self, authority: Authority, verifier: TokenVerifier) -> None:
        """A token that has expired, or begins, within the leeway is accepted."""
        now = int(time.time())
        assert verifier.verify(authority.issue(AUDIENCE, exp=now - 30))
        assert verifier.verify(authority.issue(AUDIENCE, nbf=now + 30, iat=now + 30))
        assert (
            refusal(lambda: verifier.verify(authority.issue(AUDIENCE, exp=now - 90))).code == "token_expired"
        )

    def test_without_keys_nobody_is_refused_for_good(
        self, authority: Authority, verifier: TokenVerifier
    ) -> None:
        """While the keys cannot be fetched the answer is 503 with a time to wait, for all callers."""
        authority.inject(503, times=100)
        answer = refusal(lambda: verifier.verify(authority.issue(AUDIENCE)))
        assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})

    def test_an_identity_is_shown_with_its_kind(self) -> None:
        """A stamp, a run's conf and a log line show whether it is an application or a user."""
        service, user = Caller(GUID, AUDIENCE, is_app=True), Caller(GUID, AUDIENCE, is_app=False)
        assert service.members() == {"kind": "application", "object_id": GUID, "app_id": AUDIENCE}
        assert user.members() == {"kind": "user", "object_id": GUID, "app_id": AUDIENCE}
        assert str(service) == f"the application with object id {GUID} (client id {AUDIENCE})"
        assert str(user) == f"the user with object id {GUID} (client id {AUDIENCE})"

    def test_what_nobody_signs_is_not_read(self, verifier: TokenVerifier) -> None:
        """A text of up to 16,384 characters is checked, a longer one is not; both get the same refusal."""
        assert LONGEST_TOKEN == 16_384
        for length in (LONGEST_TOKEN, LONGEST_TOKEN + 1):
            answer = refusal(partial(verifier.verify, f"e30.{'A' * (length - 9)}.QUJD"))
            assert (answer.status, answer.code) == (401, "invalid_token")

    def test_sovereign_clouds_have_their_own_issuers(self) -> None:
        """The authority's v2 issuer is one of the tenant's."""
        assert f"https://login.microsoftonline.us/{GUID}/v2.0" in tenant_issuers(
            "https://login.microsoftonline.us", GUID
        )
