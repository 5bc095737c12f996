"""The process's one Azure credential, and the errors of its failures.

Every request of this app to another service uses the managed identity. One credential object serves the whole
process, because azure-identity caches tokens per object.
"""

import os
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from shared.collector import collector_paused
from shared.errors import SettingsError, TokenUnavailable
from shared.values.app_settings import setting

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.pipeline.transport import RequestsTransport

CREDENTIAL: Final = "UPDRAFT_CREDENTIAL"
"""`managed-identity` (the default), or `default` for a developer's login, only outside Azure."""
CLIENT_ID: Final = "AZURE_CLIENT_ID"
"""The client id of a user-assigned identity; without it the system-assigned one is used."""

_IN_AZURE: Final = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME", "CONTAINER_APP_NAME")
_ENDPOINT: Final = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")
_FEDERATION: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
_MADE_FROM: Final = (CREDENTIAL, CLIENT_ID, *_IN_AZURE, *_ENDPOINT, *_FEDERATION)
_LONGEST_WAIT: Final = 1.0
_UNCACHED: Final = '{"access_token":{"nbf":{"essential":true}}}'
"""Claims for which msal does not use its cache and asks the endpoint."""

_lock = threading.Lock()
_credentials: dict[tuple[str | None, ...], "TokenCredential"] = {}


def azure_credential(client_id: str | None = None) -> "TokenCredential":
    """Return the process's credential, made on first use from the process's environment.

    A changed environment makes a new one: the platform changes it when a warm placeholder process becomes
    this app.

    Args:
        client_id: A user-assigned identity of one connection, other than the app's usual one.

    Raises:
        SettingsError: As `make_credential`.
    """
    key = (client_id, *(os.environ.get(name) for name in _MADE_FROM))
    with _lock:
        if key not in _credentials:
            _credentials[key] = make_credential(os.environ, client_id)
        return _credentials[key]


def credential_of(
    client_id: str | None, usual: Callable[[], "TokenCredential"]
) -> Callable[[], "TokenCredential"]:
    """Return a function for the credential of one connection: of its own identity, or the usual one."""
    return partial(azure_credential, client_id) if client_id else usual


def make_credential(settings: Mapping[str, str], client_id: str | None = None) -> "TokenCredential":
    """Make a credential from application settings.

    Args:
        settings: The process's environment; azure-identity reads the endpoint from there.
        client_id: A user-assigned identity; by default the one that AZURE_CLIENT_ID names.

    Raises:
        SettingsError: UPDRAFT_CREDENTIAL has an unknown value, or asks for a developer's login in Azure;
            or no managed identity is assigned.
    """
    kind = setting(settings, CREDENTIAL) or "managed-identity"
    client_id = client_id or setting(settings, CLIENT_ID) or None
    if kind == "managed-identity":
        return _managed_identity(settings, client_id)
    if kind != "default":
        raise SettingsError(
            f"the application setting {CREDENTIAL} is {kind!r}; it has to be managed-identity or default"
        )
    here = next((name for name in _IN_AZURE if settings.get(name)), None)
    if here is not None:
        raise SettingsError(
            f"the application setting {CREDENTIAL} is 'default', which is for development only, but {here} "
            "shows that this app runs in Azure; remove the setting, so that the managed identity is used"
        )
    from azure.identity import DefaultAzureCredential

    # Excluded: a managed identity is used by name above, and otherwise 169.254.169.254 would be asked.
    return DefaultAzureCredential(exclude_managed_identity_credential=True)


def _managed_identity(settings: Mapping[str, str], client_id: str | None) -> "TokenCredential":
    if not (all(map(settings.get, _ENDPOINT)) or all(map(settings.get, _FEDERATION))):
        # azure-identity would try 169.254.169.254, which no Functions plan has, until a time-out.
        raise SettingsError(
            f"this app has no managed identity: {' and '.join(_ENDPOINT)} are not set; assign an identity to "
            f"the app, or on a developer's machine set {CREDENTIAL} to default"
        )
    with collector_paused():
        from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id, **short_timeouts())


def short_timeouts() -> dict[str, Any]:
    """Return options with which an Azure client stays within an event's budget of about 20 seconds.

    By default azure-core retries three times over 4.8 s, and obeys every Retry-After. Here a refused
    connection, a 5xx or a 429 is retried once after at most a second, and a read time-out is not retried. So
    the longest call is one read time-out and that second. The queue does longer waits.

    Returns:
        Keyword arguments for a credential or a client of the Azure SDK, with a connection pool of its own.
    """
    return {
        "transport": short_transport(),
        "retry_total": 1,
        "retry_connect": 1,
        "retry_read": 0,
        "retry_status": 1,
    }


def short_transport() -> "RequestsTransport":
    """Return a connection pool whose calls end within seconds; it ignores a long Retry-After."""
    from azure.core.pipeline.transport import RequestsTransport

    class ShortTimeouts(RequestsTransport):  # type: ignore[misc] # azure-core loads it by name, without a type
        def sleep(self, duration: float) -> None:
            super().sleep(min(duration, _LONGEST_WAIT))

    return ShortTimeouts(connection_timeout=2, read_timeout=5)


def fetch_token(credential: "TokenCredential", scope: str, *, fresh: bool = False) -> "AccessToken":
    """Get a token for one scope; every failure is a `TokenUnavailable`.

    Args:
        credential: The process's credential.
        scope: One scope, as in `https://vault.azure.net/.default`; never a wider one.
        fresh: Ask the identity endpoint even if azure-identity has a valid token.

    Returns:
        The token and its expiry in Unix seconds.

    Raises:
        TokenUnavailable: With the hop that failed and the fix. Permanent if the endpoint refused the
            request, except with 403: the endpoint answers an empty 403 for a while after a deployment
            (Azure/azure-functions-host#8623).
    """
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        ServiceRequestError,
        ServiceResponseError,
    )

    try:
        if fresh and not _is_developers(credential):
            return credential.get_token(scope, claims=_UNCACHED)
        return credential.get_token(scope)
    except ServiceRequestError as exc:
        raise TokenUnavailable(_message(scope, "it could not be reached", "try again later")) from exc
    except ServiceResponseError as exc:
        raise TokenUnavailable(
            _message(scope, "its answer was not complete in time", "try again later")
        ) from exc
    except ClientAuthenticationError as exc:
        raise _refused(scope, str(exc), developers=_is_developers(credential)) from exc
    except AzureError as exc:
        raise TokenUnavailable(
            _message(scope, f"it failed ({type(exc).__name__})", "try again later")
        ) from exc
    except ValueError as exc:
        # msal raises a JSON error for an empty or HTML body (403 after a deployment, 502 from the platform).
        reason = "its answer was not JSON, as happens for a while after a deployment"
        raise TokenUnavailable(_message(scope, reason, "try again later")) from exc
    except (TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as exc:
        # msal raises Python's errors for JSON that is not a token or is too deep.
        raise TokenUnavailable(_message(scope, "its answer was not a token", "try again later")) from exc


def _is_developers(credential: "TokenCredential") -> bool:
    from azure.identity import DefaultAzureCredential

    return isinstance(credential, DefaultAzureCredential)


def _refused(scope: str, words: str, *, developers: bool) -> TokenUnavailable:
    """Read the status in azure-identity's message: its error has no response for a managed identity."""
    if developers:
        return TokenUnavailable(
            f"no token for {scope}: none of the developer's logins that azure-identity tries gave one; "
            f"run `az login`, or unset {CREDENTIAL}",
            permanent=True,
        )
    found = re.search(r"\(\w+\) (\d{3}),", words)
    status = int(found[1]) if found else 0
    code = re.search(r"AADSTS\d+", words)
    reason = f"it refused ({status or 'no status given'}{', ' + code[0] if code else ''})"
    if status in {400, 401, 404}:
        remedy = (
            f"check that the identity is assigned to this app, that {CLIENT_ID} or its connection's "
            "client_id is its client id, and that the scope's application exists in the tenant"
        )
        return TokenUnavailable(_message(scope, reason, remedy), permanent=True)
    return TokenUnavailable(_message(scope, reason, "try again later"))


def _message(scope: str, reason: str, remedy: str) -> str:
    return f"no token for {scope} from the managed-identity endpoint: {reason}; {remedy}"
