"""Prepares an Airflow in one process: its database, FAB's users, and the DAGs if nothing else will read them.

Runs in Airflow's own environment, with Airflow's settings. What is wanted comes as JSON in the environment,
so that passwords are on no command line: `users` (name to role and password), `role_dags` (the DAGs that the
role `Updraft` may start), `every_dag` (whether it may start all others too) and `read_dags`.
"""

import json
import os

from airflow.cli.cli_parser import get_parser
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
from airflow.utils import db
from airflow.utils.session import create_session
from updraft_airflow.least_privilege import ensure_role

EVERY_DAG = (
    ("can_read", "DAGs"),
    ("can_edit", "DAGs"),
    ("can_read", "DAG Runs"),
    ("can_create", "DAG Runs"),
)
"""FAB's permissions to start runs of any DAG: `updraft_airflow.least_privilege` has those for one DAG."""

wanted = json.loads(os.environ["UPDRAFT_AIRFLOW_WANTED"])
db.upgradedb()
if wanted["users"]:
    with create_session(scoped=False) as session:
        ensure_role(session, "Updraft", wanted["role_dags"])
        if wanted["every_dag"]:
            manager = ApplessAirflowSecurityManager(session=session)
            for action, resource in EVERY_DAG:
                manager.add_permission_to_role(
                    manager.find_role("Updraft"), manager.create_permission(action, resource)
                )
    with get_application_builder() as builder:
        manager = builder.sm
        for name, user in wanted["users"].items():
            known = manager.find_user(username=name)
            if known is None:
                role = manager.find_role(user["role"])
                manager.add_user(name, name, name, f"{name}@example.org", role, password=user["password"])
            else:
                manager.reset_password(known.id, user["password"])
if wanted["read_dags"]:
    command = get_parser().parse_args(["dags", "reserialize"])
    command.func(command)
