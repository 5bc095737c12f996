"""An Airflow 3 auth manager that accepts Entra identities and all logins of FAB.

Set `[core] auth_manager = updraft_airflow.auth_manager.EntraFabAuthManager`. A managed identity's access
token is accepted in two ways: directly, as `Authorization: Bearer`, or in exchange for an Airflow token at
`POST /auth/token` with `{"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": <token>}`
(RFC 7523 section 2.1; the Keycloak provider has the same request). FAB handles every other token and login,
also passwords, unless `password_logins` is off.

The class's name has to contain `FabAuthManager`: Airflow recognises FAB by this text in the configured class
path. Without it, Airflow 3.3 never applies the `access_control` of a DAG file
(`dag_processing/collection.py`), and `airflow db clean` never deletes FAB's sessions (`utils/db_cleanup.py`,
also in 3.4.0b2).
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.utils.session import create_session
from fastapi import HTTPException
from jwt import ExpiredSignatureError, InvalidTokenError

from updraft_airflow.configuration import Configuration, read_configuration
from updraft_airflow.entra_tokens import EntraIdentity, Expired, Refused, TokenVerifier
from updraft_airflow.fab_users import FabUsers
from updraft_airflow.least_privilege import ensure_role
from updraft_airflow.password_logins import REFUSED, switch_off, warn
from updraft_airflow.signing_keys import EntraKeys, KeysUnavailable

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from airflow.providers.fab.auth_manager.models import User
    from fastapi import FastAPI

log = logging.getLogger(__name__)

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

THREADS = 4
"""Separate threads: a slow key endpoint or database must not use the threads of Airflow's requests."""


class EntraFabAuthManager(FabAuthManager):
    """FAB's auth manager, plus Entra access tokens of one tenant."""

    @cached_property
    def _configuration(self) -> Configuration:
        return read_configuration()

    @cached_property
    def _verifier(self) -> TokenVerifier:
        configuration = self._configuration
        keys = EntraKeys(
            configuration.authority,
            configuration.policy.tenant_id,
            issuers=configuration.policy.issuers,
            refresh_seconds=configuration.keys_refresh,
            longest_age=configuration.keys_longest_age,
        )
        return TokenVerifier(configuration.policy, keys)

    @cached_property
    def _users(self) -> FabUsers:
        configuration = self._configuration
        return FabUsers(
            names=configuration.names,
            create_with_role=configuration.role if configuration.create_users else None,
            role_mapping=configuration.role_mapping,
            cache_seconds=configuration.cache_seconds,
        )

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS, thread_name_prefix="entra-auth")

    @cached_property
    def security_manager(self) -> Any:
        """FAB's security manager, or the operator's, without password logins if they are switched off."""
        manager: Any = super().security_manager
        if not self._configuration.password_logins:
            switch_off(manager)
        return manager

    def init(self) -> None:
        """Refuse to start with a configuration that cannot work."""
        super().init()
        # All of them now: two threads at first use would make two key caches
        _ = self._verifier, self._users, self._threads

    def get_fastapi_app(self) -> "FastAPI | None":
        """Return FAB's routes, and create the configured role."""
        app: FastAPI | None = super().get_fastapi_app()
        if self.flask_app is not None:
            with self.flask_app.app_context():
                warn(self.security_manager, password_logins=self._configuration.password_logins)
        if self._configuration.role_dags:
            with create_session(scoped=False) as session:
                added = ensure_role(session, self._configuration.role, self._configuration.role_dags)
            log.info("Role %s was given %d permission(s)", self._configuration.role, len(added))
        return app

    async def get_user_from_token(self, token: str) -> "BaseUser":
        """Authenticate one request; an Entra token never blocks the event loop.

        Raises:
            ExpiredSignatureError: Airflow answers 401 "Token Expired".
            InvalidTokenError: Airflow answers 403 "Invalid JWT token".
            HTTPException: 503: the tenant's keys cannot be fetched, or may not be fetched again yet.
        """
        if not self._verifier.claims_tenant(token):
            return await super().get_user_from_token(token)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._entra_user, token)
        except Expired as exc:
            raise ExpiredSignatureError(str(exc)) from None
        except Refused as exc:
            raise InvalidTokenError(str(exc)) from None

    def create_token(self, headers: dict[str, str], body: dict[str, Any]) -> "User | None":
        """Authenticate a request for an Airflow token; FastAPI calls this on a thread.

        Args:
            headers: The request's.
            body: The request's. Without our grant type, FAB reads user name and password.

        Returns:
            The user; for None the provider answers 401.

        Raises:
            ValueError: The assertion is missing, or user name or password is not text; the provider answers
                400.
            HTTPException: 503, as above; 401 for a password if password logins are off.
        """
        if body.get("grant_type") != JWT_BEARER:
            if not self._configuration.password_logins:
                raise HTTPException(401, REFUSED)
            # FAB accepts any JSON value, and its hash function fails on a value that is not text
            if not all(isinstance(body.get(name, ""), str) for name in ("username", "password")):
                raise ValueError("Username and password must be provided")
            return super().create_token(headers, body)
        assertion = body.get("assertion")
        if not isinstance(assertion, str) or not assertion:
            raise ValueError("assertion must be an Entra access token")
        try:
            identity = self._verified(assertion)
            user = self._users.user(identity, fresh=True)
        except Refused:
            return None
        # Only this request has this user object: generate_jwt reads the mark in the same request
        user.entra_seconds_left = identity.seconds_left
        log.info("Entra app %s exchanged its token as FAB user %s", identity.app_id, user.username)
        return user

    def generate_jwt(
        self,
        user: "User",
        *,
        expiration_time_in_seconds: int = conf.getint("api_auth", "jwt_expiration_time"),
    ) -> str:
        """Sign an Airflow token; an exchanged one expires with its Entra token."""
        left = getattr(user, "entra_seconds_left", None)
        if left is not None:
            expiration_time_in_seconds = min(expiration_time_in_seconds, max(1, int(left)))
        token: str = super().generate_jwt(user, expiration_time_in_seconds=expiration_time_in_seconds)
        return token

    def _entra_user(self, token: str) -> "User":
        return self._users.user(self._verified(token))

    def _verified(self, token: str) -> EntraIdentity:
        try:
            return self._verifier.verify(token)
        except KeysUnavailable as exc:
            log.error("Entra token cannot be verified now: %s", exc)  # noqa: TRY400 - the stack trace would add nothing
            raise HTTPException(
                503,
                "The signing keys of the Entra tenant are unavailable",
                {"Retry-After": str(exc.retry_after)},
            ) from None
        except Refused as exc:
            log.warning("Entra token refused: %s", exc)
            raise
