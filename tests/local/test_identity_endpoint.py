"""The stand-in for the managed-identity endpoint, with the unchanged azure-identity and PyJWT."""

import jwt
import pytest
import requests
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential

from local.stand_ins.identity_endpoint import Audience, IdentityEndpoint

STORAGE = "https://storage.azure.com"
AIRFLOW = "api://airflow"


def _ask(endpoint: IdentityEndpoint, *, header: str | None = None, **query: str) -> requests.Response:
    query = {"api-version": "2019-08-01", "resource": STORAGE} | query
    headers = {"X-IDENTITY-HEADER": endpoint.header if header is None else header}
    return requests.get(endpoint.url + "/msi/token/", params=query, headers=headers, timeout=10)


def test_a_token_for_storage_has_the_claims_that_azurite_checks(identity: IdentityEndpoint) -> None:
    """A Storage token has the v1 issuer of the tenant and Storage's audience, and is signed by the key."""
    token = ManagedIdentityCredential().get_token(f"{STORAGE}/.default")
    claims = identity.claims(token.token)
    assert claims["iss"] == f"https://sts.windows.net/{identity.tenant_id}/"
    assert claims["aud"] == STORAGE
    assert claims["appid"] == identity.identity.client_id
    assert claims["oid"] == identity.identity.object_id
    assert identity.issued == {STORAGE: 1}


@pytest.mark.parametrize("version", [1, 2])
def test_a_verifier_finds_the_key_by_discovery(identity: IdentityEndpoint, version: int) -> None:
    """Discovery names the issuer of that version and a key set in which the token's key is."""
    audience = Audience(version=1 if version == 1 else 2, name="airflow-client-id", roles=["Airflow.Trigger"])
    identity.expose(AIRFLOW, audience)
    token = identity.issue(AIRFLOW)
    found = requests.get(identity.discovery_url(audience.version), timeout=10).json()
    key = jwt.PyJWKClient(found["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token, key.key, algorithms=["RS256"], audience="airflow-client-id", issuer=found["issuer"]
    )
    assert claims["roles"] == ["Airflow.Trigger"]
    assert claims["ver"] == f"{version}.0"
    assert ("appid" in claims, "azp" in claims) == (version == 1, version == 2)


def test_a_user_assigned_identity_is_reached_by_its_client_id(identity: IdentityEndpoint) -> None:
    """The token of a user-assigned identity carries its own ids."""
    other = identity.assign()
    token = ManagedIdentityCredential(client_id=other.client_id).get_token(f"{STORAGE}/.default")
    assert identity.claims(token.token)["oid"] == other.object_id


def test_an_identity_that_is_not_assigned_is_refused(identity: IdentityEndpoint) -> None:
    """An unknown client id gets App Service's 400."""
    with pytest.raises(CredentialUnavailableError, match="No User Assigned"):
        ManagedIdentityCredential(client_id="nobody").get_token(f"{STORAGE}/.default")


def test_the_identitys_own_client_id_may_be_named(identity: IdentityEndpoint) -> None:
    """The client id also selects the system-assigned identity."""
    assert _ask(identity, client_id=identity.identity.client_id).ok


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [({}, "wrong", 401), ({"api-version": "2017-09-01"}, None, 400), ({"resource": ""}, None, 400)],
)
def test_a_wrong_request_gets_no_token(
    identity: IdentityEndpoint, query: dict[str, str], header: str | None, status: int
) -> None:
    """The header's secret, the API version and the resource are all needed."""
    answer = _ask(identity, header=header, **query)
    assert answer.status_code == status
    assert "access_token" not in answer.json()
    assert identity.issued == {}


def test_a_rotated_key_ends_the_old_ones(identity: IdentityEndpoint) -> None:
    """After a rotation the old tokens no longer verify, and the key set names the new key alone."""
    old, old_id = identity.issue(STORAGE), identity.key_id
    identity.rotate_key()
    with pytest.raises(jwt.InvalidSignatureError):
        identity.claims(old)
    keys = requests.get(identity.jwks_url, timeout=10).json()["keys"]
    assert [key["kid"] for key in keys] == [identity.key_id] != [old_id]


def test_claims_can_be_forged_for_a_verifiers_tests(identity: IdentityEndpoint) -> None:
    """A claim given replaces the usual one, and None leaves one out."""
    claims = jwt.decode(identity.issue(STORAGE, tid="other", oid=None), options={"verify_signature": False})
    assert claims["tid"] == "other"
    assert "oid" not in claims


def test_faults_are_used_up_in_order_and_logged(identity: IdentityEndpoint) -> None:
    """Injected faults hit the next requests, once each, and the log holds methods, paths and statuses."""
    identity.inject(503, {"error": "busy"}, retry_after=7)
    identity.inject(0)
    assert (answer := _ask(identity)).status_code == 503
    assert answer.headers["Retry-After"] == "7"
    with pytest.raises(requests.ConnectionError):
        _ask(identity)
    assert _ask(identity).ok
    assert [(seen.path, seen.status) for seen in identity.seen] == [
        ("/msi/token/", 503),
        ("/msi/token/", 0),
        ("/msi/token/", 200),
    ]
    identity.forget()
    identity.inject(500, times=9)
    identity.heal()
    assert _ask(identity).ok
    assert identity.count("GET", "/msi") == 1


def test_a_fault_may_come_after_the_deed(identity: IdentityEndpoint) -> None:
    """A request can take effect and get a bad response, as from a proxy that gives up."""
    identity.inject(504, after_handling=True)
    assert _ask(identity).status_code == 504
    assert identity.issued == {STORAGE: 1}


def test_unknown_paths_are_not_found(identity: IdentityEndpoint) -> None:
    """Anything else is 404."""
    assert requests.get(identity.url + "/elsewhere", timeout=10).status_code == 404
