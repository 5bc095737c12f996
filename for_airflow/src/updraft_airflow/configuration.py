"""Reads and checks `[entra_auth_manager]` of airflow.cfg, or AIRFLOW__ENTRA_AUTH_MANAGER__…."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from airflow.configuration import conf
from airflow.exceptions import AirflowConfigException

from updraft_airflow.entra_tokens import TokenPolicy, tenant_issuers
from updraft_airflow.wire import WireError, checked_url

SECTION = "entra_auth_manager"
DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
DEFAULT_APP_ROLE = "Airflow.Trigger"
DEFAULT_ROLE = "Updraft"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The operator's settings; docs/airflow-side.md describes each option.

    Attributes:
        policy: The required claims of a token.
        authority: The address of Entra.
        keys_refresh: Seconds.
        keys_longest_age: Seconds.
        names: FAB user names by object id (lower case).
        create_users: Whether unknown identities get a user.
        role: The FAB role of such users and of `role_dags`.
        role_dags: The DAGs that `role` may trigger; if empty, the operator manages the role.
        role_mapping: FAB roles by app role.
        cache_seconds: `[fab] cache_ttl`.
        password_logins: Whether FAB accepts passwords.
    """

    policy: TokenPolicy
    authority: str
    keys_refresh: float
    keys_longest_age: float
    names: Mapping[str, str]
    create_users: bool
    role: str
    role_dags: tuple[str, ...]
    role_mapping: Mapping[str, str]
    cache_seconds: float
    password_logins: bool


def read_configuration() -> Configuration:
    """Read and check the section.

    Raises:
        AirflowConfigException: An option is missing or unusable; names it and the fix.
    """
    tenant_id = _tenant_id()
    authority = conf.get(SECTION, "authority", fallback="") or DEFAULT_AUTHORITY
    try:
        checked_url(authority, what=f"[{SECTION}] authority")
    except WireError as exc:
        raise AirflowConfigException(str(exc)) from None
    audiences = _list("audiences")
    if not audiences:
        raise AirflowConfigException(
            f"[{SECTION}] audiences is missing: name the client id and the application ID URI of"
            " Airflow's app registration, with a comma between them"
        )
    refresh, longest = _seconds("keys_refresh", 3600), _seconds("keys_longest_age", 86400)
    if not 0 < refresh <= longest:
        raise AirflowConfigException(
            f"[{SECTION}] keys_refresh ({refresh:g}) must be in (0, keys_longest_age ({longest:g})]"
        )
    scopes, clients = _user_scopes(), frozenset(_guid(one, "user_clients") for one in _list("user_clients"))
    if clients and not scopes:
        raise AirflowConfigException(
            f"[{SECTION}] user_clients has no effect without user_scopes: set it, or remove user_clients"
        )
    return Configuration(
        policy=TokenPolicy(
            tenant_id=tenant_id,
            issuers=frozenset(_list("issuers")) or tenant_issuers(authority, tenant_id),
            audiences=frozenset(audiences),
            app_roles=frozenset(_list("app_roles")) or frozenset({DEFAULT_APP_ROLE}),
            user_scopes=scopes,
            user_clients=clients,
            leeway=_seconds("leeway", 60),
        ),
        authority=authority,
        keys_refresh=refresh,
        keys_longest_age=longest,
        names={_guid(key, "a key of users"): name for key, name in _mapping("users").items()},
        create_users=conf.getboolean(SECTION, "create_users", fallback=False),
        role=conf.get(SECTION, "role", fallback="") or DEFAULT_ROLE,
        role_dags=tuple(_list("role_dags")),
        role_mapping=_mapping("role_mapping"),
        cache_seconds=conf.getint("fab", "cache_ttl", fallback=30),
        password_logins=conf.getboolean(SECTION, "password_logins", fallback=True),
    )


def _tenant_id() -> str:
    value = conf.get(SECTION, "tenant_id", fallback="")
    if not value:
        raise AirflowConfigException(
            f"[{SECTION}] tenant_id is missing: set it to the GUID of your Entra tenant"
            f" (AIRFLOW__{SECTION.upper()}__TENANT_ID)"
        )
    return _guid(value, "tenant_id")


def _guid(value: str, what: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise AirflowConfigException(f"[{SECTION}] {what} must be a GUID, not {value!r}") from None


def _user_scopes() -> frozenset[str]:
    scopes = _list("user_scopes")
    for scope in scopes:
        if "://" in scope or " " in scope:
            raise AirflowConfigException(
                f"[{SECTION}] user_scopes names scopes as a token does, with commas between them, as in"
                f" Runs.Start: {scope!r} is not such a name"
            )
    return frozenset(scopes)


def _list(option: str) -> list[str]:
    members = conf.get(SECTION, option, fallback="").replace("\n", ",").split(",")
    return [member.strip() for member in members if member.strip()]


def _seconds(option: str, default: float) -> float:
    value: float = conf.getfloat(SECTION, option, fallback=default)
    if not 0 <= value < float("inf"):
        raise AirflowConfigException(f"[{SECTION}] {option} must be a number of seconds, not {value:g}")
    return value


def _mapping(option: str) -> dict[str, str]:
    value = conf.getjson(SECTION, option, fallback={}) or {}
    if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value.values()):
        raise AirflowConfigException(f"[{SECTION}] {option} must be a JSON object of names")
    return value
