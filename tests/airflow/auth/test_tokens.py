"""Both kinds of token source, each through its real clients against loopback endpoints."""

import json
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from shared.airflow.auth.cached_token import CachedHeader
from shared.airflow.auth.source import header_source
from shared.azure.credential import azure_credential
from shared.azure.key_vault import KeyVault
from shared.errors import SecretUnavailable, SettingsError, TokenUnavailable
from shared.rules import Connection

if TYPE_CHECKING:
    from tests.support.clocks import UnixClock
    from tests.support.endpoints import TokenEndpoint, Watch


type Together = Callable[[int, Callable[[], object]], list[object]]
type Connect = Callable[..., Connection]

SCOPE = "api://airflow/.default"
PASSWORD = "password-one-of-it"


@pytest.fixture
def source(
    request: pytest.FixtureRequest,
    identity: IdentityEndpoint,
    vault: LocalKeyVault,
    airflow: "TokenEndpoint",
    key_vault: KeyVault,
    clock: "UnixClock",
    connect: Connect,
) -> CachedHeader:
    """A source of the kind that the test is parametrised with; `airflow` has its user and secret."""
    airflow.users["updraft"] = PASSWORD
    vault.set("airflow-password", PASSWORD)
    if request.param == "entra":
        connection = connect("https://airflow.example", kind="entra", scope=SCOPE)
    else:
        connection = connect(
            airflow.url, kind="airflow", username="updraft", password_secret="airflow-password"
        )
    return header_source(
        connection, connection.auths[0], secrets=key_vault, credential=azure_credential, clock=clock
    )


@pytest.fixture
def requests_made(identity: IdentityEndpoint, airflow: "TokenEndpoint") -> Callable[[], int]:
    """Count the token requests for Airflow, of either kind."""
    return lambda: airflow.count("POST") + identity.issued["api://airflow"]


both = pytest.mark.parametrize("source", ["entra", "airflow"], indirect=True)
entra = pytest.mark.parametrize("source", ["entra"], indirect=True)
login = pytest.mark.parametrize("source", ["airflow"], indirect=True)


@both
def test_the_header_is_a_bearer_that_is_kept(source: CachedHeader, requests_made: Callable[[], int]) -> None:
    """The first call fetches a token, and the following ones return the same."""
    header = source.value()
    assert header.startswith("Bearer ey")
    assert {source.value() for _ in range(5)} == {header}
    assert requests_made() == 1


@both
def test_many_cold_threads_make_one_request(
    source: CachedHeader, requests_made: Callable[[], int], together: Together
) -> None:
    """Thirty-two threads that need a first token at one moment cost one request."""
    assert len(set(together(32, source.value))) == 1
    assert requests_made() == 1


@both
def test_many_threads_that_were_refused_make_one_request(
    source: CachedHeader, requests_made: Callable[[], int], together: Together
) -> None:
    """Sixteen threads refused with the same token get one new token between them."""
    refused = source.value()
    renewed = set(together(16, lambda: source.renew(refused)))
    assert len(renewed) == 1
    assert refused not in renewed
    assert source.value() in renewed
    assert requests_made() == 2


@both
def test_a_token_is_renewed_before_it_expires(
    source: CachedHeader,
    requests_made: Callable[[], int],
    identity: IdentityEndpoint,
    airflow: "TokenEndpoint",
    clock: "UnixClock",
) -> None:
    """Shortly before expiry the next caller fetches; before that no caller does."""
    identity.lifetime = airflow.lifetime = 200
    first = source.value()
    clock.pass_by(155)
    assert source.value() == first
    clock.pass_by(10)
    assert source.value() != first
    assert requests_made() == 2


@both
def test_an_outage_near_expiry_is_bridged_by_the_old_token(
    source: CachedHeader,
    identity: IdentityEndpoint,
    airflow: "TokenEndpoint",
    clock: "UnixClock",
    watch: "Watch",
) -> None:
    """The old token is used after a failed renewal, until it expires; then the error is raised."""
    identity.lifetime = airflow.lifetime = 200
    first = source.value()
    for endpoint in (identity, airflow):
        endpoint.inject(503, {"statusCode": 503}, times=99)
    clock.pass_by(170)
    assert source.value() == first
    clock.pass_by(25)
    error = watch.refusal(source.value)
    assert isinstance(error, TokenUnavailable)
    assert not error.permanent


@both
def test_an_outage_is_one_error_for_all_who_wait(
    source: CachedHeader, identity: IdentityEndpoint, airflow: "TokenEndpoint", together: Together
) -> None:
    """Threads that wait for a failed fetch share its error, without further fetches."""
    for endpoint in (identity, airflow):
        endpoint.inject(
            503, {"statusCode": 503}, times=99, when=lambda request: "vault" not in str(request.query)
        )
    results = together(16, source.value)
    assert {type(result) for result in results} <= {TokenUnavailable, SecretUnavailable}
    assert identity.count() + airflow.count() <= 2


@both
def test_nothing_is_requested_before_the_first_use(
    source: CachedHeader, identity: IdentityEndpoint, airflow: "TokenEndpoint", vault: LocalKeyVault
) -> None:
    """Making a source sends no request."""
    assert identity.seen == airflow.seen == vault.seen == ()


@both
def test_the_hot_path_is_short(source: CachedHeader) -> None:
    """With a cached token, a call costs a small part of a call of azure-identity."""
    source.value()
    credential = azure_credential()
    credential.get_token(SCOPE)

    def cost(call: Callable[[], object]) -> float:
        rounds = []
        for _ in range(9):
            started = time.perf_counter()
            for _ in range(50):
                call()
            rounds.append(time.perf_counter() - started)
        return statistics.median(rounds)

    assert cost(source.value) * 3 < cost(lambda: credential.get_token(SCOPE))


@entra
def test_entra_tokens_are_for_the_connections_scope_alone(
    source: CachedHeader, identity: IdentityEndpoint
) -> None:
    """Only a token for the connection's resource is requested, with the app's identity."""
    claims = identity.claims(source.value().removeprefix("Bearer "))
    assert claims["aud"] == "api://airflow"
    assert claims["oid"] == identity.identity.object_id
    assert set(identity.issued) == {"api://airflow"}


def test_a_connection_may_have_an_identity_of_its_own(
    identity: IdentityEndpoint, key_vault: KeyVault, connect: Connect
) -> None:
    """`client_id` chooses a user-assigned identity for that connection."""
    other = identity.assign()
    connection = connect("https://airflow.example", kind="entra", scope=SCOPE, client_id=other.client_id)
    source = header_source(connection, connection.auths[0], secrets=key_vault, credential=azure_credential)
    claims = identity.claims(source.value().removeprefix("Bearer "))
    assert claims["oid"] == other.object_id


@entra
def test_an_app_without_an_identity_is_told_so(
    source: CachedHeader, watch: "Watch", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing identity is a permanent `TokenUnavailable`."""
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    error = watch.refusal(source.value)
    assert error.permanent
    assert "IDENTITY_ENDPOINT" in str(error)


def test_an_app_without_a_vault_is_told_so(
    airflow: "TokenEndpoint", connect: Connect, watch: "Watch"
) -> None:
    """A missing setting of the vault is a permanent error with the setting's name."""

    class NoVault:
        def get(self, name: str, *, waiters: int | None = None) -> str:
            raise SettingsError("the application setting UPDRAFT_KEY_VAULT_URI is missing")

        refresh = reread = get

    connection = connect(airflow.url, kind="airflow", username="u", password_secret="airflow-password")
    source = header_source(connection, connection.auths[0], secrets=NoVault(), credential=azure_credential)
    error = watch.refusal(source.value)
    assert error.permanent
    assert "'analytics'" in str(error)
    assert "UPDRAFT_KEY_VAULT_URI" in str(error)


@login
def test_a_rotated_password_heals_within_one_event(
    source: CachedHeader, vault: LocalKeyVault, airflow: "TokenEndpoint"
) -> None:
    """After a refusal of the cached password the vault is read again, and the new one logs in."""
    refused = source.value()
    airflow.users["updraft"] = "password-two-of-it"
    vault.set("airflow-password", "password-two-of-it")
    airflow.forget()
    assert source.renew(refused) != refused
    assert [seen.status for seen in airflow.seen] == [401, 201]


@login
def test_a_password_that_stays_wrong_is_permanent(
    source: CachedHeader, vault: LocalKeyVault, airflow: "TokenEndpoint", watch: "Watch"
) -> None:
    """The error names the user, the secret and the vault; the same password is not sent twice."""
    airflow.users["updraft"] = "password-two-of-it"
    watch.secrets.add("password-two-of-it")
    error = watch.refusal(source.value)
    assert error.permanent
    for word in ("'updraft'", "'airflow-password'", vault.url, f"{airflow.url}/auth/token"):
        assert word in str(error)
    watch.refusal(source.value)
    assert [seen.status for seen in airflow.seen] == [401]


@login
def test_a_new_password_that_is_wrong_too_is_permanent(
    source: CachedHeader, key_vault: KeyVault, vault: LocalKeyVault, airflow: "TokenEndpoint", watch: "Watch"
) -> None:
    """The login is tried once with the old and once with the new password, never more."""
    key_vault.get("airflow-password")
    vault.set("airflow-password", "password-two-of-it")
    airflow.users["updraft"] = "password-three-of-it"
    assert watch.refusal(source.value).permanent
    assert [seen.status for seen in airflow.seen] == [401, 401]


def test_the_user_name_may_be_a_secret_too(
    airflow: "TokenEndpoint", vault: LocalKeyVault, key_vault: KeyVault, connect: Connect, watch: "Watch"
) -> None:
    """With `username_secret` the name comes from the vault, and errors show the secret's name alone."""
    airflow.users["hidden-user-name"] = PASSWORD
    vault.set("airflow-user", "hidden-user-name")
    vault.set("airflow-password", PASSWORD)
    connection = connect(
        airflow.url, kind="airflow", username_secret="airflow-user", password_secret="airflow-password"
    )
    source = header_source(connection, connection.auths[0], secrets=key_vault, credential=azure_credential)
    refused = source.value()
    airflow.users.clear()
    assert "'airflow-user'" in str(watch.refusal(lambda: source.renew(refused)))


@login
@pytest.mark.parametrize(
    ("status", "body", "reason", "permanent"),
    [
        (500, "Internal Server Error", "answered 500", False),
        (503, "<html>busy</html>", "answered 503", False),
        (429, "", "answered 429", False),
        (0, "", "could not be reached", False),
        (302, "", "answered 302", True),
        (404, {"detail": "Not Found"}, "needs Airflow 3", True),
        (422, {"detail": []}, "answered 422", True),
        (200, "<html>Sign in</html>", "has no access_token", True),
        (201, [], "has no access_token", True),
        (201, {"access_token": 7}, "has no access_token", True),
        (201, "[" * 100_000, "has no access_token", True),
        (400, '{"error": ' * 100_000, "answered 400", True),
        (400, {"error": "temporarily_unavailable"}, "answered 400, temporarily_unavailable", False),
        (400, {"error": "slow_down"}, "answered 400, slow_down", False),
        (403, {"error": "server_error"}, "answered 403, server_error", False),
    ],
)
def test_what_airflow_answers_to_a_login_is_classed(
    source: CachedHeader,
    airflow: "TokenEndpoint",
    watch: "Watch",
    status: int,
    body: object,
    reason: str,
    *,
    permanent: bool,
) -> None:
    """Outages are transient; login pages, redirects and other APIs are permanent. Nothing is sent twice."""
    airflow.inject(status, body, headers={"Location": "/login"}, times=9)  # type: ignore[arg-type] # as the parameters have it
    error = watch.refusal(source.value)
    assert error.permanent is permanent
    assert reason in str(error)
    assert airflow.count() == 1


@login
def test_an_airflow_that_is_away_is_transient(
    source: CachedHeader, airflow: "TokenEndpoint", watch: "Watch"
) -> None:
    """A refused connection is a transient error."""
    airflow.stop()
    error = watch.refusal(source.value)
    assert not error.permanent
    assert "could not be reached" in str(error)


def test_a_login_that_takes_too_long_is_transient(
    airflow: "TokenEndpoint", vault: LocalKeyVault, key_vault: KeyVault, connect: Connect, watch: "Watch"
) -> None:
    """The connection's read time-out also applies to the login."""
    vault.set("airflow-password", PASSWORD)
    airflow.inject(delay=1.0)
    connection = connect(
        airflow.url, kind="airflow", username="u", password_secret="airflow-password", read_timeout=0.1
    )
    source = header_source(connection, connection.auths[0], secrets=key_vault, credential=azure_credential)
    error = watch.refusal(source.value)
    assert not error.permanent
    assert "did not answer in time" in str(error)


def test_an_untrusted_certificate_is_permanent(
    vault: LocalKeyVault,
    key_vault: KeyVault,
    connect: Connect,
    watch: "Watch",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A password is not sent to a server with an untrusted certificate."""
    vault.set("airflow-password", PASSWORD)
    key_vault.get("airflow-password")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    vault.forget()
    connection = connect(vault.url, kind="airflow", username="u", password_secret="airflow-password")
    source = header_source(connection, connection.auths[0], secrets=key_vault, credential=azure_credential)
    error = watch.refusal(source.value)
    assert error.permanent
    assert "certificate" in str(error)
    assert vault.seen == ()


@login
def test_a_missing_secret_is_told_as_such(
    source: CachedHeader, vault: LocalKeyVault, airflow: "TokenEndpoint", watch: "Watch"
) -> None:
    """If the vault has no password, that is the error, and no request reaches Airflow."""
    vault.delete("airflow-password")
    assert isinstance(watch.refusal(source.value), SecretUnavailable)
    assert airflow.seen == ()


@login
def test_a_life_is_counted_by_this_machines_clock(
    source: CachedHeader, airflow: "TokenEndpoint", clock: "UnixClock"
) -> None:
    """A token of an Airflow whose clock is an hour behind is cached for its whole lifetime."""
    airflow.lifetime, airflow.skew = 1_000, -3_600
    first = source.value()
    clock.pass_by(750)
    assert source.value() == first
    clock.pass_by(100)
    assert source.value() != first


@login
def test_a_token_that_tells_no_expiry_is_kept_for_minutes(
    source: CachedHeader, airflow: "TokenEndpoint", clock: "UnixClock"
) -> None:
    """A token without exp, or one that is not a JWT, is used for a short while."""
    airflow.lifetime = None
    first = source.value()
    clock.pass_by(200)
    assert source.value() == first
    airflow.inject(201, {"access_token": "opaque-token"})
    clock.pass_by(100)
    assert source.value() == "Bearer opaque-token"


@login
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (3_599, 3_599),
        ("3599", 3_599),
        (" 3599.0 ", 3_599),
        (3_599.9, 3_599),
        (1e300, 86_400),
        pytest.param(10**400, 86_400, id="a number beyond floats"),
        ("1e9999", 86_400),
        (None, 300),
        ("soon", 300),
        (True, 300),
        (0, 300),
        (-5, 300),
        ([3_599], 300),
    ],
)
def test_a_life_is_read_in_every_spelling(
    source: CachedHeader, airflow: "TokenEndpoint", clock: "UnixClock", said: object, seconds: float
) -> None:
    """A token is cached for `expires_in`, as number or text; for minutes if it is missing."""
    body = {"access_token": "opaque-token", "expires_in": said}
    airflow.inject(201, json.dumps(body), times=9)
    source.value()
    clock.pass_by(seconds - min(240, seconds / 5) - 2)
    source.value()
    assert airflow.count() == 1
    clock.pass_by(seconds)
    source.value()
    assert airflow.count() == 2


@login
def test_a_life_that_is_no_number_is_minutes(
    source: CachedHeader, airflow: "TokenEndpoint", clock: "UnixClock"
) -> None:
    """A lifetime of NaN, which Python's JSON accepts, counts as missing."""
    airflow.inject(201, '{"access_token": "opaque-token", "expires_in": NaN}', times=9)
    source.value()
    clock.pass_by(200)
    source.value()
    assert airflow.count() == 1


def test_the_watch_would_see_a_leak(watch: "Watch") -> None:
    """The leak check finds a secret in an error's cause or in its text."""
    watch.secrets.add("a-secret-of-the-test")

    def leak() -> None:
        try:
            raise ValueError("a-secret-of-the-test")  # noqa: TRY301 - it stands for a library's error
        except ValueError as exc:
            raise TokenUnavailable("nothing to see") from exc

    watch.refusal(leak)
    assert watch.leaks()
    watch.output.clear()
