"""Entra identities as FAB users, on a database of their own."""

import logging
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from issuer import APP, OBJECT

from updraft_airflow.entra_tokens import EntraIdentity, Refused
from updraft_airflow.least_privilege import ensure_role, get_cli_commands, permissions_to_trigger

pytest.importorskip("airflow.providers.fab", reason="needs the FAB provider")


def users(
    *,
    names: Mapping[str, str] | None = None,
    create_with_role: str | None = None,
    role_mapping: Mapping[str, str] | None = None,
    cache_seconds: float = 0,
) -> Any:
    """Make the thing under test."""
    from updraft_airflow.fab_users import FabUsers

    return FabUsers(
        names=names or {},
        create_with_role=create_with_role,
        role_mapping=role_mapping or {},
        cache_seconds=cache_seconds,
    )


def identity(*app_roles: str, object_id: str = OBJECT) -> EntraIdentity:
    """A verified identity."""
    return EntraIdentity(object_id, APP, frozenset({"Airflow.Trigger", *app_roles}), 4e9)


def add_user(session: Any, name: str, *roles: str, active: bool = True) -> Any:
    """Put a user there as an operator would."""
    from airflow.providers.fab.auth_manager.models import Role, User
    from sqlalchemy import select

    user = User(username=name, first_name="F", last_name="L", email=f"{name}@x.example", active=active)
    user.roles = list(session.scalars(select(Role).where(Role.name.in_(roles))).unique())
    session.add(user)
    session.commit()
    return user


def role_names(user: Any) -> set[str]:
    """Name the roles of a user."""
    return {role.name for role in user.roles}


def test_an_unknown_identity_is_refused_and_the_remedy_named(session: Any) -> None:
    """A user is created only if the operator allows it."""
    with pytest.raises(Refused, match=f"{OBJECT}.*create_users"):
        users().user(identity())


@pytest.mark.parametrize("spelling", [OBJECT, OBJECT.upper()])
def test_the_user_name_is_the_object_id(session: Any, spelling: str) -> None:
    """Whatever case the operator wrote it in."""
    added = add_user(session, spelling, "Viewer")
    found = users().user(identity())
    assert (found.id, role_names(found)) == (added.id, {"Viewer"})


def test_a_mapping_names_the_user_instead(session: Any) -> None:
    """The object id's own user is then not looked at."""
    add_user(session, OBJECT, "Admin")
    add_user(session, "updraft", "Updraft")
    assert users(names={OBJECT: "updraft"}).user(identity()).username == "updraft"


def test_a_user_is_made_with_the_one_role_and_no_password(session: Any) -> None:
    """So nobody can log in as it, and a second request finds it."""
    found = users(create_with_role="Updraft")
    made = found.user(identity("Admin", "Viewer"))
    assert role_names(made) == {"Updraft"}
    assert made.password is None
    assert found.user(identity()).id == made.id


def test_a_missing_role_makes_nobody(session: Any) -> None:
    """Not even a user without a role."""
    for _ in range(2):
        with pytest.raises(Refused, match="entra-role"):
            users(create_with_role="Nonesuch").user(identity())


def test_two_at_once_make_one_user(session: Any) -> None:
    """The second creator uses the first one's user."""
    made: list[int] = []
    makers = [users(create_with_role="Updraft") for _ in range(4)]
    threads = [
        threading.Thread(target=lambda maker=maker: made.append(maker.user(identity()).id))
        for maker in makers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1


def test_an_address_that_is_taken_is_a_refusal(session: Any) -> None:
    """A collision with another user is named, not guessed away."""
    other = add_user(session, "other")
    other.email = f"{OBJECT}@email.notfound"
    session.commit()
    with pytest.raises(Refused, match="taken"):
        users(create_with_role="Updraft").user(identity())


def test_an_inactive_user_is_refused(session: Any) -> None:
    """Also one whose flag is null, as on FAB's own paths."""
    user = add_user(session, OBJECT, active=False)
    with pytest.raises(Refused, match="not active"):
        users(create_with_role="Updraft").user(identity())
    user.active = None
    session.commit()
    with pytest.raises(Refused, match="not active"):
        users().user(identity())


def test_mapped_roles_follow_the_token_and_others_stay(session: Any) -> None:
    """The mapping adds and takes its own roles; what the operator gave is not touched."""
    add_user(session, OBJECT, "Updraft", "Admin")
    found = users(role_mapping={"Airflow.Read": "Viewer"})
    assert role_names(found.user(identity("Airflow.Read"))) == {"Updraft", "Admin", "Viewer"}
    assert role_names(found.user(identity())) == {"Updraft", "Admin"}


def test_a_role_that_is_not_mapped_gives_nothing(session: Any) -> None:
    """An app role with the name of a FAB role is not a FAB role."""
    add_user(session, OBJECT, "Updraft")
    assert role_names(users().user(identity("Admin"))) == {"Updraft"}


def test_a_mapping_never_takes_the_role_that_users_are_made_with(session: Any) -> None:
    """Else a token without the mapped app role would strip the user."""
    found = users(create_with_role="Updraft", role_mapping={"Airflow.Trigger2": "Updraft"})
    assert role_names(found.user(identity())) == {"Updraft"}
    assert role_names(found.user(identity())) == {"Updraft"}


def test_a_cached_user_costs_no_query_until_it_ages(session: Any) -> None:
    """As `[fab] cache_ttl` does for FAB's own; the exchange always looks."""
    user = add_user(session, OBJECT, "Updraft")
    found = users(cache_seconds=60)
    first = found.user(identity())
    user.active = False
    session.commit()
    assert found.user(identity()) is first
    with pytest.raises(Refused):
        found.user(identity(), fresh=True)


def test_an_exchange_gets_an_object_of_its_own(session: Any) -> None:
    """What is noted on it for one request is not seen by another."""
    add_user(session, OBJECT, "Updraft")
    found = users(cache_seconds=60)
    assert found.user(identity()) is not found.user(identity(), fresh=True)
    assert found.user(identity(), fresh=True) is not found.user(identity(), fresh=True)


def test_permissions_are_known_without_a_session(session: Any) -> None:
    """Airflow asks for them after the session is closed."""
    ensure_role(session, "Updraft", ["smoke_tests"])
    add_user(session, OBJECT, "Updraft")
    assert users().user(identity()).perms == set(permissions_to_trigger("smoke_tests"))


def test_the_role_is_made_once_and_only_added_to(session: Any) -> None:
    """A second run adds what is missing and takes nothing away."""
    assert len(ensure_role(session, "New", ["a"])) == 4
    assert ensure_role(session, "New", ["a"]) == []
    assert ensure_role(session, "New", ["a", "b"]) == [
        f"{action} on {resource}" for action, resource in permissions_to_trigger("b")
    ]


def test_the_command_makes_the_role(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`airflow entra-role --dag a b` prints its changes."""
    import argparse

    [command] = get_cli_commands()
    parser = argparse.ArgumentParser()
    for argument in command.args:
        argument.add_to_parser(parser)
    command.func(parser.parse_args(["--role", "Starter", "--dag", "a", "b"]))
    printed = capsys.readouterr().out
    assert "Starter: can_create on DAG Run:a" in printed
    assert "8 permission(s) added" in printed


def test_nothing_that_is_logged_is_a_secret(session: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Names and roles only."""
    with caplog.at_level(logging.INFO):
        users(create_with_role="Updraft", role_mapping={"Airflow.Read": "Viewer"}).user(
            identity("Airflow.Read")
        )
    assert [record.getMessage() for record in caplog.records if record.name.startswith("updraft")] == [
        f"Created FAB user {OBJECT} with role Updraft for an Entra identity",
        f"FAB user {OBJECT} now has the mapped roles ['Viewer']",
    ]
