"""The process's credential, and the errors of the identity endpoint."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.credential import azure_credential, fetch_token, make_credential
from shared.errors import SettingsError

if TYPE_CHECKING:
    from tests.support.endpoints import Watch


SCOPE = "api://airflow/.default"
HTML = "<html><body>Bad Gateway</body></html>"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records sleeps, and does not sleep."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def test_the_managed_identity_is_the_default(identity: IdentityEndpoint) -> None:
    """Without settings the credential is the app's managed identity, one object for the process."""
    credential = azure_credential()
    assert isinstance(credential, ManagedIdentityCredential)
    assert azure_credential() is credential
    token = fetch_token(credential, SCOPE)
    assert identity.claims(token.token)["oid"] == identity.identity.object_id


def test_another_environment_makes_another_credential(
    identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform may set the environment after this process has started: it is then read again."""
    first = azure_credential()
    monkeypatch.setenv("IDENTITY_HEADER", "another")
    assert azure_credential() is not first


def test_azure_client_id_names_a_user_assigned_identity(
    identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AZURE_CLIENT_ID chooses the app's identity; a connection's client id has priority."""
    apps, connections = identity.assign(), identity.assign()
    monkeypatch.setenv("AZURE_CLIENT_ID", apps.client_id)
    for client_id, expected in ((None, apps), (connections.client_id, connections)):
        token = fetch_token(azure_credential(client_id), SCOPE)
        assert identity.claims(token.token)["appid"] == expected.client_id


def test_without_an_identity_the_setting_says_what_to_do() -> None:
    """No endpoint in the environment is an error at once, never a call to 169.254.169.254."""
    with pytest.raises(SettingsError, match=r"IDENTITY_ENDPOINT.*assign an identity"):
        make_credential({})


def test_a_developers_login_is_used_only_when_asked_for() -> None:
    """UPDRAFT_CREDENTIAL=default uses azure-identity's chain."""
    assert isinstance(make_credential({"UPDRAFT_CREDENTIAL": "default"}), DefaultAzureCredential)


@pytest.mark.parametrize("name", ["WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME", "CONTAINER_APP_NAME"])
def test_a_developers_login_is_never_used_in_azure(name: str) -> None:
    """In Azure that setting is an error that names it."""
    with pytest.raises(SettingsError, match=rf"UPDRAFT_CREDENTIAL.*{name}"):
        make_credential({"UPDRAFT_CREDENTIAL": "default", name: "x"})


def test_a_pasted_setting_is_read_as_it_was_meant(identity: IdentityEndpoint) -> None:
    """A line end after the kind or the client id is not part of it."""
    assert identity.url
    settings = {**os.environ, "UPDRAFT_CREDENTIAL": "managed-identity\r\n", "AZURE_CLIENT_ID": "\n"}
    assert isinstance(make_credential(settings), ManagedIdentityCredential)


def test_an_unknown_kind_of_credential_is_named() -> None:
    """Any other value of UPDRAFT_CREDENTIAL is an error that shows it."""
    with pytest.raises(SettingsError, match=r"'cli'.*managed-identity or default"):
        make_credential({"UPDRAFT_CREDENTIAL": "cli"})


@pytest.mark.parametrize(
    ("status", "body", "reason", "permanent"),
    [
        (403, "", "not JSON", False),
        (403, HTML, "not JSON", False),
        (502, HTML, "not JSON", False),
        (200, "", "not JSON", False),
        (200, "[1]", "no token", False),
        (200, '"text"', "no token", False),
        (200, "[" * 100_000, "no token", False),
        (200, {"access_token": 7, "expires_on": []}, "no token", False),
        (500, {"statusCode": 500, "message": "boom"}, r"refused \(500\); try again", False),
        (503, {"statusCode": 503, "message": "busy"}, r"refused \(503\); try again", False),
        (429, {"statusCode": 429, "message": "slow down"}, r"refused \(429\); try again", False),
        (403, {"statusCode": 403, "message": "no"}, r"refused \(403\); try again", False),
        (400, {"statusCode": 400, "message": "AADSTS500011: no such"}, r"400, AADSTS500011.*assigned", True),
        (400, {"message": "no status"}, "no status given", False),
    ],
)
def test_every_failure_of_the_endpoint_is_one_error(
    identity: IdentityEndpoint, watch: "Watch", status: int, body: object, reason: str, *, permanent: bool
) -> None:
    """Every response of the endpoint becomes one error that names the hop, the scope and the fix."""
    identity.inject(status, body, times=9)  # type: ignore[arg-type] # the parameters hold texts and objects
    error = watch.refusal(lambda: fetch_token(azure_credential(), SCOPE))
    assert error.permanent is permanent
    assert error.args[0].startswith(f"no token for {SCOPE} from the managed-identity endpoint: ")
    with pytest.raises(type(error), match=reason):
        raise error


def test_an_identity_that_is_not_assigned_is_permanent(identity: IdentityEndpoint, watch: "Watch") -> None:
    """An unknown client id is a permanent error."""
    error = watch.refusal(lambda: fetch_token(azure_credential("nobody"), SCOPE))
    assert error.permanent
    assert "AZURE_CLIENT_ID" in str(error)


def test_a_refused_connection_costs_little(
    identity: IdentityEndpoint, watch: "Watch", slept: list[float]
) -> None:
    """An endpoint that does not answer is a transient error, without azure-core's usual wait."""
    credential = azure_credential()
    identity.stop()
    error = watch.refusal(lambda: fetch_token(credential, SCOPE))
    assert sum(slept) == 0
    assert not error.permanent
    assert "could not be reached" in str(error)


def test_a_closed_connection_is_transient(identity: IdentityEndpoint, watch: "Watch") -> None:
    """A request whose connection the endpoint closes is not repeated at once."""
    identity.inject(0, times=9)
    error = watch.refusal(lambda: fetch_token(azure_credential(), SCOPE))
    assert not error.permanent
    assert identity.count() == 1


def test_one_bad_answer_is_mended_by_a_second_try(identity: IdentityEndpoint) -> None:
    """A single 500 or a single short throttling does not cost the event its token."""
    identity.inject(500, {"statusCode": 500})
    assert fetch_token(azure_credential(), SCOPE).token
    assert identity.count() == 2


def test_a_long_retry_after_is_not_waited_for(
    identity: IdentityEndpoint, watch: "Watch", slept: list[float]
) -> None:
    """A long Retry-After is not waited for: at most two requests, a second apart."""
    identity.inject(503, {"statusCode": 503}, retry_after=3600, times=9)
    error = watch.refusal(lambda: fetch_token(azure_credential(), SCOPE))
    assert sum(slept) == 1.0
    assert not error.permanent
    assert identity.count() == 2


def test_a_fresh_token_is_asked_for_past_azure_identitys_cache(identity: IdentityEndpoint) -> None:
    """`fresh` asks the endpoint; without it the cached token is returned."""
    credential = azure_credential()
    first = fetch_token(credential, SCOPE)
    assert fetch_token(credential, SCOPE).token == first.token
    assert fetch_token(credential, SCOPE, fresh=True).token != first.token
    assert identity.count() == 2


@pytest.mark.parametrize("fresh", [False, True])
def test_a_developer_without_a_login_is_told_to_log_in(
    watch: "Watch", monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, fresh: bool
) -> None:
    """If the developer's chain gives no token, the fix is `az login`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    credential = make_credential({"UPDRAFT_CREDENTIAL": "default"})
    error = watch.refusal(lambda: fetch_token(credential, SCOPE, fresh=fresh))
    assert error.permanent
    assert "az login" in str(error)


def test_an_error_of_the_sdks_own_is_transient(identity: IdentityEndpoint, watch: "Watch") -> None:
    """The error has the name of any other exception of the SDK."""
    identity.inject(200, "{", headers={"Content-Type": "application/json"}, times=9)
    error = watch.refusal(lambda: fetch_token(azure_credential(), SCOPE))
    assert not error.permanent
    assert "it failed (DecodeError)" in str(error)
