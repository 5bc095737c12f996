"""Where Airflow and the FAB provider ask which auth manager they have: ours has to pass as FAB's everywhere.

They ask in three ways: by the class path's text, by the class, and by a list of class paths. The first test
finds the places in the installed source, so that a new one in a later version is noticed; the others try
what hangs on them.
"""

import ast
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from importlib import import_module
from pathlib import Path

import airflow as airflow_package
import pytest
from airflow_server import PASSWORD, VERSION, AirflowServer
from sqlalchemy import create_engine, text

from updraft_airflow.provider import get_provider_info

[CLASS_PATH] = get_provider_info()["auth-managers"]
KNOWN = {
    # What hangs on it: the tests below, but for the last, which compares with the Simple auth manager's path
    # and so always replaces another one, as docs/airflow-side.md says of `airflow standalone`.
    "dag_processing/collection.py": "test_access_control.py; 3.4 asks the class for `sync_dag_perms`",
    "utils/db_cleanup.py": "test_expired_sessions_are_cleaned",
    "providers/fab/www/app.py": "test_a_person_logs_in",
    "providers/fab/www/utils.py": "test_a_person_logs_in",
    "providers/fab/auth_manager/api_fastapi/routes/login.py": "every test with a password",
    "api_fastapi/app.py": "whether the instance is of the configured class: it is",
    "cli/commands/standalone_command.py": "not for us",
}


def questions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the comparisons and `isinstance` calls that are about an auth manager's class or class path."""
    about = re.compile(r"auth_?manager", re.IGNORECASE)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            texts = [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
            if any(isinstance(each.value, str) and about.search(each.value) for each in texts):
                yield node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            kind = node.args[1:2]
            if node.func.id in {"isinstance", "issubclass"} and kind and about.search(ast.unparse(kind[0])):
                yield node


def test_every_place_that_asks_is_known() -> None:
    """Code of Airflow that is not listed here may not recognise our auth manager as FAB's."""
    root = Path(airflow_package.__file__).parent
    asking = set()
    for file in root.rglob("*.py"):
        if "auth/managers/simple" in file.as_posix():  # the Simple auth manager itself
            continue
        source = file.read_text(encoding="utf-8")
        if re.search(r"auth_?manager", source, re.IGNORECASE) and any(questions(ast.parse(source))):
            asking.add(file.relative_to(root).as_posix())
    expected = set(KNOWN) - ({"dag_processing/collection.py"} if VERSION >= (3, 4) else set())
    assert asking == expected


def test_the_class_path_contains_fabs_name() -> None:
    """Which is what the two places compare that ask for text."""
    assert "FabAuthManager" in CLASS_PATH


def test_a_dag_processor_can_sync_permissions_by_the_class() -> None:
    """As 3.4 does it: without an instance, by FAB's static method."""
    fab = pytest.importorskip("airflow.providers.fab.auth_manager.fab_auth_manager").FabAuthManager
    module, _, name = CLASS_PATH.rpartition(".")
    assert getattr(import_module(module), name).sync_dag_perms is fab.sync_dag_perms


def test_airflow_lists_the_auth_manager() -> None:
    """By the class path that the provider names, which the check of the class has passed."""
    from airflow.providers_manager import ProvidersManager

    assert CLASS_PATH in ProvidersManager().auth_managers


def log_in(airflow: AirflowServer) -> urllib.request.OpenerDirector:
    """Log in as a person does, with FAB's form; the opener has the cookies."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(f"{airflow.url}/auth/login/", timeout=60).read().decode()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token is not None, page
    form = {"csrf_token": token[1], "username": "admin", "password": PASSWORD}
    browser.open(f"{airflow.url}/auth/login/", urllib.parse.urlencode(form).encode(), timeout=60).read()
    return browser


@pytest.mark.stack
def test_a_person_logs_in(airflow: AirflowServer) -> None:
    """With FAB's form and its sessions; FAB's own pages know the person then, and nobody else."""
    with log_in(airflow).open(f"{airflow.url}/auth/roles/list/", timeout=60) as answer:
        assert answer.url == f"{airflow.url}/auth/roles/list/"
        assert "Viewer" in answer.read().decode()
    with urllib.request.urlopen(f"{airflow.url}/auth/roles/list/", timeout=60) as answer:  # noqa: S310
        assert answer.url != f"{airflow.url}/auth/roles/list/"


@pytest.mark.stack
def test_expired_sessions_are_cleaned(airflow: AirflowServer) -> None:
    """`airflow db clean` deletes FAB's sessions: without that the table grows for ever."""
    log_in(airflow)
    engine = create_engine(airflow.database)
    count = text("SELECT count(*) FROM session")
    with engine.connect() as connection:
        assert connection.execute(count).scalar_one() > 0
    airflow.command(
        "db",
        "clean",
        "--tables",
        "session",
        "--clean-before-timestamp",
        "2999-01-01",
        "--yes",
        "--skip-archive",
    )
    with engine.connect() as connection:
        assert connection.execute(count).scalar_one() == 0
    engine.dispose()
