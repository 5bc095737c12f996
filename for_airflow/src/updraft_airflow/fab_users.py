"""Finds the FAB user of an Entra identity, and creates one if that is allowed.

The configured mapping has the user's name; the default is the object id. A token changes the permissions of a
user only by app roles that the operator has mapped to FAB roles: only those roles are set on the user, as in
the token.
"""

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow.providers.fab.auth_manager.models import Role, User
from airflow.utils.session import create_session
from cachetools import TTLCache
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from updraft_airflow.entra_tokens import EntraIdentity, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


class FabUsers:
    """The FAB users, by Entra identity. Thread-safe; every method may wait for the database."""

    def __init__(
        self,
        *,
        names: Mapping[str, str],
        create_with_role: str | None,
        role_mapping: Mapping[str, str],
        cache_seconds: float,
    ) -> None:
        """Store the operator's rules.

        Args:
            names: User names by object id (lower case), if they differ from the object id.
            create_with_role: The FAB role of users that are created at their first token; None creates none.
            role_mapping: FAB roles by app role.
            cache_seconds: How long a user is cached, as `[fab] cache_ttl`.
        """
        self._names = names
        self._create_with_role = create_with_role
        self._role_mapping = role_mapping
        self._cache: TTLCache[tuple[str, frozenset[str]], User] = TTLCache(maxsize=1024, ttl=cache_seconds)
        self._lock = threading.Lock()

    def user(self, identity: EntraIdentity, *, fresh: bool = False) -> User:
        """Return the active user of the identity, detached from any session.

        Args:
            identity: A verified identity.
            fresh: Return a new object from the database and not from the cache.

        Raises:
            Refused: The user does not exist and none may be created, or it is not active, or a configured
                role is missing.
            SQLAlchemyError: The database does not answer; Airflow answers 500.
        """
        known = identity.app_roles & self._role_mapping.keys()
        mapped = frozenset(self._role_mapping[role] for role in known)
        name = self._names.get(identity.object_id, identity.object_id)
        key = (name, mapped)
        if fresh:
            return self._load(name, identity, mapped)
        with self._lock:
            found = self._cache.get(key)
        if found is not None:
            return found
        user = self._load(name, identity, mapped)
        with self._lock:
            self._cache[key] = user
        return user

    def _load(self, name: str, identity: EntraIdentity, mapped: frozenset[str]) -> User:
        # Not the scoped session: it is removed at the end of a request, and these threads have none
        with create_session(scoped=False) as session:
            user = _find(session, name)
            if user is None:
                user = self._create(session, name, identity)
            if not user.is_active:
                raise Refused(f"FAB user {name!r} is not active")
            self._set_mapped_roles(session, user, mapped)
            for role in user.roles:
                _ = role.permissions  # loaded while the session is open
            return user

    def _create(self, session: "Session", name: str, identity: EntraIdentity) -> User:
        if self._create_with_role is None:
            raise Refused(
                f"there is no FAB user {name!r} for object id {identity.object_id}: create it,"
                " or set [entra_auth_manager] create_users"
            )
        user = User()
        user.username = name
        user.first_name = "Entra"
        user.last_name = f"app {identity.app_id}"[:256]
        user.email = (
            f"{name}@email.notfound"  # unique and not empty; the provider's form of a missing address
        )
        user.active = True
        user.roles = [_role(session, self._create_with_role)]
        session.add(user)
        try:
            session.commit()
        except IntegrityError:  # another worker has just created it
            session.rollback()
            found = _find(session, name)
            if found is None:
                raise Refused(f"FAB user {name!r} cannot be created: its name or address is taken") from None
            return found
        log.info("Created FAB user %s with role %s for an Entra identity", name, self._create_with_role)
        return user

    def _set_mapped_roles(self, session: "Session", user: User, mapped: frozenset[str]) -> None:
        ours = frozenset(self._role_mapping.values()) - {self._create_with_role}
        held = {role.name for role in user.roles} & ours
        wanted = mapped & ours
        if held == wanted:
            return
        user.roles = [role for role in user.roles if role.name not in ours] + [
            _role(session, name) for name in sorted(wanted)
        ]
        log.info("FAB user %s now has the mapped roles %s", user.username, sorted(wanted))


def _find(session: "Session", name: str) -> User | None:
    # Letter case does not count, as in the provider's lookup and its unique index
    return session.scalars(select(User).where(func.lower(User.username) == name.lower())).one_or_none()


def _role(session: "Session", name: str) -> Role:
    role = session.scalars(select(Role).where(Role.name == name)).unique().one_or_none()
    if role is None:
        raise Refused(f"there is no FAB role {name!r}: create it with `airflow entra-role`")
    return role
