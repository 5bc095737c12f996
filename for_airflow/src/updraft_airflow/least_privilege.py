"""The FAB role that can only trigger chosen DAGs, and `airflow entra-role`, which creates it.

To start a run FAB requires `can_create` on the DAG's runs and `can_edit` on the DAG. With the read
permissions the caller sees whether the DAG is paused and the state of its run. `can_edit` on a DAG also
allows pausing it: FAB has no finer permission. Source: FabAuthManager.is_authorized_dag, scenario 3.
"""

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.cli.cli_config import ActionCommand
    from sqlalchemy.orm import Session


def permissions_to_trigger(dag_id: str) -> tuple[tuple[str, str], ...]:
    """Return (action, resource) for one DAG, in FAB's names."""
    return (
        ("can_read", f"DAG:{dag_id}"),
        ("can_edit", f"DAG:{dag_id}"),
        ("can_read", f"DAG Run:{dag_id}"),
        ("can_create", f"DAG Run:{dag_id}"),
    )


def ensure_role(session: "Session", name: str, dag_ids: Iterable[str]) -> list[str]:
    """Create the role if it is missing, and add missing permissions; none is removed.

    Args:
        session: FAB's methods commit it.
        name: The role.
        dag_ids: The DAGs that it may trigger; they need not exist yet.

    Returns:
        The added permissions, as text.
    """
    from airflow.providers.fab.www.security_appless import (
        ApplessAirflowSecurityManager,
    )

    manager = ApplessAirflowSecurityManager(session=session)
    role = manager.add_role(name)
    held = {(permission.action.name, permission.resource.name) for permission in role.permissions}
    added = []
    for dag_id in dag_ids:
        for action, resource in permissions_to_trigger(dag_id):
            if (action, resource) not in held:
                manager.add_permission_to_role(role, manager.create_permission(action, resource))
                added.append(f"{action} on {resource}")
    return added


def get_cli_commands() -> "list[ActionCommand]":
    """Describe `airflow entra-role` to Airflow's command line; the provider's `cli` section names this."""
    from airflow.cli.cli_config import ActionCommand, Arg, lazy_load_command

    command = ActionCommand(
        name="entra-role",
        help="Allow a role to trigger DAGs, and nothing else",
        func=lazy_load_command("updraft_airflow.least_privilege.run_entra_role"),
        args=(
            Arg(
                ("--role",),
                help="The role; created if missing (default: %(default)s)",
                default="Updraft",
            ),
            Arg(("--dag",), help="A DAG's id; give one or more", nargs="+", required=True),
        ),
    )
    return [command]


def run_entra_role(arguments: Namespace) -> None:
    """Run `airflow entra-role`.

    Args:
        arguments: `role`, and `dag` as a list.
    """
    from airflow.utils.session import create_session

    with create_session() as session:
        added = ensure_role(session, arguments.role, arguments.dag)
    for line in added:
        print(f"{arguments.role}: {line}")
    print(f"Role {arguments.role} can trigger {', '.join(arguments.dag)}; {len(added)} permission(s) added")
