"""Reading [entra_auth_manager]: what is set, what is assumed, and how mistakes are named."""

import json
from collections.abc import Mapping

import pytest
from issuer import CLIENT, OBJECT, ROLE, TENANT, URI, V1, V2

pytest.importorskip("airflow", reason="needs Airflow")
from airflow.exceptions import AirflowConfigException

from updraft_airflow.configuration import Configuration, read_configuration
from updraft_airflow.provider import get_provider_info

NEEDED = {"tenant_id": TENANT, "audiences": f"{CLIENT},\n {URI} ,"}


def configure(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]) -> Configuration:
    """Set the options by environment and read them."""
    for option in get_provider_info()["config"]["entra_auth_manager"]["options"]:
        monkeypatch.delenv(f"AIRFLOW__ENTRA_AUTH_MANAGER__{option.upper()}", raising=False)
    for option, value in settings.items():
        monkeypatch.setenv(f"AIRFLOW__ENTRA_AUTH_MANAGER__{option.upper()}", value)
    return read_configuration()


def test_two_settings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is the careful choice: no user is made, one app role, the public cloud."""
    configuration = configure(monkeypatch, NEEDED)
    assert configuration.policy.audiences == {CLIENT, URI}
    assert configuration.policy.issuers == {V1, V2}
    assert configuration.policy.app_roles == {ROLE}
    assert (configuration.policy.user_scopes, configuration.policy.user_clients) == (frozenset(), frozenset())
    assert configuration.policy.leeway == 60
    assert configuration.authority == "https://login.microsoftonline.com"
    assert (configuration.keys_refresh, configuration.keys_longest_age) == (3600, 86400)
    assert (configuration.create_users, configuration.role, configuration.role_dags) == (False, "Updraft", ())
    assert (configuration.names, configuration.role_mapping) == ({}, {})
    assert configuration.password_logins


def test_everything_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """By environment, as Airflow's own options."""
    configuration = configure(
        monkeypatch,
        {
            "tenant_id": TENANT.upper(),
            "audiences": URI,
            "app_roles": "A, B",
            "user_scopes": "Runs.Start, Runs.All",
            "user_clients": CLIENT.upper(),
            "authority": "http://127.0.0.1:1234",
            "issuers": "https://issuer.example/",
            "leeway": "5",
            "keys_refresh": "10",
            "keys_longest_age": "20",
            "users": json.dumps({OBJECT.upper(): "updraft"}),
            "create_users": "True",
            "role": "Starter",
            "role_dags": "a,b",
            "role_mapping": json.dumps({"A": "Viewer"}),
            "password_logins": "False",
        },
    )
    assert configuration.policy.tenant_id == TENANT
    assert configuration.policy.issuers == {"https://issuer.example/"}
    assert configuration.policy.app_roles == {"A", "B"}
    assert configuration.policy.user_scopes == {"Runs.Start", "Runs.All"}
    assert configuration.policy.user_clients == {CLIENT}
    assert configuration.names == {OBJECT: "updraft"}
    assert (configuration.create_users, configuration.role, configuration.role_dags) == (
        True,
        "Starter",
        ("a", "b"),
    )
    assert configuration.role_mapping == {"A": "Viewer"}
    assert (configuration.keys_refresh, configuration.keys_longest_age) == (10, 20)
    assert not configuration.password_logins


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tenant_id": ""}, "tenant_id is missing"),
        ({"tenant_id": "common"}, "tenant_id must be a GUID"),
        ({"audiences": " , "}, "audiences is missing"),
        ({"authority": "http://login.example"}, "authority must begin with https"),
        ({"user_scopes": "api://airflow/Runs.Start"}, "names scopes as a token does"),
        ({"user_scopes": "Runs.Start Runs.All"}, "names scopes as a token does"),
        ({"user_clients": CLIENT}, "has no effect without user_scopes"),
        ({"user_scopes": "Runs.Start", "user_clients": "portal"}, "user_clients must be a GUID"),
        ({"leeway": "-1"}, "leeway"),
        ({"leeway": "nan"}, "leeway"),
        ({"keys_refresh": "0"}, "keys_refresh"),
        ({"keys_longest_age": "60"}, "keys_refresh"),
        ({"users": '{"me": "updraft"}'}, "a key of users must be a GUID"),
        ({"users": "[1]"}, "users must be a JSON object"),
        ({"role_mapping": '{"A": 7}'}, "role_mapping must be a JSON object"),
        ({"role_mapping": "{"}, "role_mapping"),
        ({"create_users": "perhaps"}, "create_users"),
        ({"password_logins": "perhaps"}, "password_logins"),
    ],
)
def test_a_mistake_is_named(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], named: str) -> None:
    """The api-server does not start, and says why."""
    with pytest.raises(AirflowConfigException, match=named):
        configure(monkeypatch, NEEDED | changes)


def test_airflow_accepts_what_the_provider_says_of_itself() -> None:
    """By Airflow's own schema, and each default survives Airflow's formatting."""
    from airflow.providers_manager import _create_provider_info_schema_validator

    info = get_provider_info()
    _create_provider_info_schema_validator().validate(info)
    for section in info["config"].values():
        for option in section["options"].values():
            if option["default"] is not None:
                option["default"].format()
