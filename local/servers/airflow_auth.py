"""The auth managers of the local Airflow, with their users and roles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from local.stand_ins.identity_endpoint import Audience, IdentityEndpoint

ADMIN: Final = "admin"
"""The login for a person."""
USER: Final = "updraft"
"""The login of the function app, if it needs one; its role may only start runs."""
AIRFLOW_RESOURCE: Final = "api://airflow"
"""The Application ID URI of Airflow's app registration; the scope is this with `/.default`."""
FAB_ROLE: Final = "Updraft"
"""The role that may only start runs of chosen DAGs; `for_airflow/` creates it."""

_CLIENT_ID: Final = "22222222-2222-4222-8222-222222222222"
_APP_ROLE: Final = "Airflow.Trigger"


@dataclass(frozen=True, slots=True)
class AuthManager:
    """An auth manager and its settings.

    Attributes:
        class_path: Its class, for `[core] auth_manager`.
        users: The logins with a password, each with the auth manager's name of its role.
        settings: Airflow's settings that it needs, as environment variables.
        role_dags: The DAGs whose runs FAB's role for Updraft may start.
        every_dag: Whether that role may start runs of every DAG, also of one that is added later.
        fab: Whether its users are FAB's, in Airflow's database.
    """

    class_path: str
    users: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    role_dags: tuple[str, ...] = ()
    every_dag: bool = False
    fab: bool = True


SIMPLE: Final = AuthManager(
    "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    {ADMIN: "admin", USER: "user"},
    fab=False,
)


def fab(*, dags: Sequence[str]) -> AuthManager:
    """Return the FAB auth manager, whose login for the app may start runs of these DAGs."""
    return AuthManager(
        "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        {ADMIN: "Admin", USER: FAB_ROLE},
        role_dags=tuple(dags),
    )


def entra(identity: IdentityEndpoint, *, dags: Sequence[str], every_dag: bool = False) -> AuthManager:
    """Return our own auth manager, which takes the tokens of the identity endpoint's tenant.

    Args:
        identity: The endpoint; its tokens for Airflow carry the app role from now on.
        dags: The DAGs whose runs a managed identity may start.
        every_dag: Whether it may start runs of every other DAG as well.
    """
    identity.expose(AIRFLOW_RESOURCE, Audience(version=2, name=_CLIENT_ID, roles=[_APP_ROLE]))
    options = {
        "AUDIENCES": f"{_CLIENT_ID},{AIRFLOW_RESOURCE}",
        "AUTHORITY": identity.url,
        "CREATE_USERS": "True",
        "ISSUERS": f"{identity.issuer(1)},{identity.issuer(2)}",
        "ROLE": FAB_ROLE,
        "ROLE_DAGS": ",".join(dags),
        "TENANT_ID": identity.tenant_id,
    }
    return AuthManager(
        "updraft_airflow.auth_manager.EntraFabAuthManager",
        {ADMIN: "Admin"},
        {f"AIRFLOW__ENTRA_AUTH_MANAGER__{name}": value for name, value in options.items()},
        role_dags=tuple(dags),
        every_dag=every_dag,
    )
