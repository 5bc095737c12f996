"""The auth manager without a server: what it takes, what it leaves to FAB, and what it never does."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from issuer import CLIENT, OBJECT, TENANT, Issuer, claims, published, sign

pytest.importorskip("airflow.providers.fab", reason="needs the FAB provider")
from airflow.exceptions import AirflowConfigException
from fastapi import HTTPException
from jwt import ExpiredSignatureError, InvalidTokenError
from jwt import decode as decode_jwt

from updraft_airflow.auth_manager import JWT_BEARER, EntraFabAuthManager


@pytest.fixture
def manager(issuer: Issuer, session: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[EntraFabAuthManager]:
    """A manager that trusts the issuer and makes users with the role Updraft."""
    settings = {"TENANT_ID": TENANT, "AUDIENCES": CLIENT, "AUTHORITY": issuer.url, "CREATE_USERS": "True"}
    for name, value in settings.items():
        monkeypatch.setenv(f"AIRFLOW__ENTRA_AUTH_MANAGER__{name}", value)
    made = EntraFabAuthManager()
    made.cache.clear()  # FAB's own, by the ids of an earlier test's users
    made.init()
    yield made
    made._threads.shutdown()


def direct(manager: EntraFabAuthManager, token: str) -> Any:
    """Authenticate as a request with a bearer token does."""
    return asyncio.run(manager.get_user_from_token(token))


def exchange(manager: EntraFabAuthManager, assertion: object) -> Any:
    """Authenticate as POST /auth/token does."""
    return manager.create_token({}, {"grant_type": JWT_BEARER, "assertion": assertion})


WAYS: list[Callable[[EntraFabAuthManager, Any], Any]] = [direct, exchange]


@pytest.mark.parametrize("way", WAYS)
def test_a_good_token_is_the_user(manager: EntraFabAuthManager, way: Callable[..., Any]) -> None:
    """Either way leads to the same user, with the one role."""
    user = way(manager, sign(claims()))
    assert user.username == OBJECT
    assert [role.name for role in user.roles] == ["Updraft"]


def test_a_bad_token_gets_airflows_own_answers(
    manager: EntraFabAuthManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Expired is 401, the rest 403, the exchange says no; the log says why, without the token."""
    expired, unfit = sign(claims(exp=1)), sign(claims(roles=["Other"]))
    with pytest.raises(ExpiredSignatureError):
        direct(manager, expired)
    with pytest.raises(InvalidTokenError):
        direct(manager, unfit)
    assert exchange(manager, expired) is None
    assert exchange(manager, unfit) is None
    assert "has none of the app roles Airflow.Trigger" in caplog.text
    assert "the token has expired" in caplog.text
    assert not any(part in caplog.text for token in (expired, unfit) for part in token.split(".")[1:])


@pytest.mark.parametrize("way", WAYS)
def test_an_outage_of_the_keys_is_told_apart(
    manager: EntraFabAuthManager, issuer: Issuer, way: Callable[..., Any]
) -> None:
    """No caller is accepted, and the answer is 503 with a time to wait."""
    issuer.status = 500
    with pytest.raises(HTTPException) as answer:
        way(manager, sign(claims()))
    assert answer.value.status_code == 503
    assert answer.value.headers == {"Retry-After": "5"}


@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_key_is_not_refused_for_good_while_the_keys_may_not_be_fetched(
    manager: EntraFabAuthManager, issuer: Issuer, way: Callable[..., Any]
) -> None:
    """A new key of Entra's gets 503 and a time to come again, and so does a forger's."""
    way(manager, sign(claims()))
    issuer.entries = [published("second")]
    for token in (sign(claims(), kid="second"), sign(claims(), kid="made-up", signed_by="first")):
        with pytest.raises(HTTPException) as answer:
            way(manager, token)
        assert answer.value.status_code == 503
        assert 1 <= int((answer.value.headers or {})["Retry-After"]) <= 60


def test_a_slow_key_endpoint_does_not_stop_the_event_loop(
    manager: EntraFabAuthManager, issuer: Issuer
) -> None:
    """While the keys are fetched, Airflow serves other requests."""
    issuer.delay = 0.2

    async def turns_of_the_loop() -> int:
        request = asyncio.create_task(manager.get_user_from_token(sign(claims())))
        turns = 0
        while not request.done():
            await asyncio.sleep(0.01)
            turns += 1
        await request
        return turns

    assert asyncio.run(turns_of_the_loop()) > 5


def test_other_tokens_are_left_to_fab(manager: EntraFabAuthManager, issuer: Issuer) -> None:
    """Airflow's own token works, a foreign one gets Airflow's refusal, and no key is fetched for either."""
    user = exchange(manager, sign(claims()))
    asked = len(issuer.asked)
    assert direct(manager, manager.generate_jwt(user)).id == user.id
    for token in ("garbage", "", "a.b.c", sign(claims(iss="https://attacker.example/"))):
        with pytest.raises(InvalidTokenError):
            direct(manager, token)
    assert len(issuer.asked) == asked


@pytest.mark.parametrize("assertion", [None, "", 7, ["x"], {}])
def test_an_exchange_needs_an_assertion(manager: EntraFabAuthManager, assertion: object) -> None:
    """What the provider turns into a 400."""
    with pytest.raises(ValueError, match="assertion"):
        exchange(manager, assertion)


@pytest.mark.parametrize("body", [{}, {"grant_type": "password"}, {"grant_type": ["x"]}, {"assertion": "x"}])
def test_another_grant_is_left_to_fab(manager: EntraFabAuthManager, body: dict[str, Any]) -> None:
    """FAB asks for user name and password."""
    with pytest.raises(ValueError, match="Username and password"):
        manager.create_token({}, body)


def test_an_airflow_token_does_not_outlive_its_entra_token(manager: EntraFabAuthManager) -> None:
    """Nor the lifetime that Airflow is set to; a user of another login keeps Airflow's."""
    user = exchange(manager, sign(claims(exp=int(time.time()) + 100)))
    assert lifetime(manager.generate_jwt(user, expiration_time_in_seconds=3600)) <= 100
    assert lifetime(manager.generate_jwt(user, expiration_time_in_seconds=10)) == 10
    other = direct(manager, sign(claims()))
    assert lifetime(manager.generate_jwt(other, expiration_time_in_seconds=3600)) == 3600


def lifetime(token: str) -> float:
    """Seconds between issue and expiry."""
    payload = decode_jwt(token, options={"verify_signature": False})
    return float(payload["exp"] - payload["iat"])


def test_a_rotated_key_needs_no_restart(
    manager: EntraFabAuthManager, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the minute is over."""
    direct(manager, sign(claims()))
    issuer.entries = [published("second")]
    monkeypatch.setattr("updraft_airflow.signing_keys.UNKNOWN_KEY_INTERVAL", 0.0)
    assert direct(manager, sign(claims(), kid="second")).username == OBJECT


def test_a_wrong_configuration_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Better no api-server than one that checks nothing."""
    monkeypatch.delenv("AIRFLOW__ENTRA_AUTH_MANAGER__TENANT_ID", raising=False)
    with pytest.raises(AirflowConfigException, match="tenant_id"):
        EntraFabAuthManager().init()


def test_nothing_is_logged_above_info_for_a_good_token(
    manager: EntraFabAuthManager, caplog: pytest.LogCaptureFixture
) -> None:
    """A quiet log is one that is read."""
    token = sign(claims())
    with caplog.at_level(logging.INFO):
        exchange(manager, token)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    assert token not in caplog.text
