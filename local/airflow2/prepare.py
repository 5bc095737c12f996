"""Prepares an Airflow 2 in one process: its database, its roles, one user, and the DAGs.

Runs in Airflow's own environment. The user and the password come from the environment, so that the password
is on no command line.
"""

import os

from airflow.models.dagbag import DagBag
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils import db

db.upgradedb()
with get_application_builder() as builder:
    manager = builder.sm
    manager.sync_roles()
    name = os.environ["UPDRAFT_AIRFLOW2_USER"]
    role = manager.find_role("User")
    password = os.environ["UPDRAFT_AIRFLOW2_PASSWORD"]
    known = manager.find_user(username=name)
    if known is None:
        manager.add_user(name, name, name, f"{name}@example.com", role, password=password)
    else:
        manager.reset_password(known.id, password)
DagBag().sync_to_db()
