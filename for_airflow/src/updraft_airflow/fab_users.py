"""Finds the FAB user that an Entra identity acts as, and makes one if that is allowed.

The user is the one named in the configured mapping, or else the one whose user name is the object id. A
token never widens what a user may do, but for the app roles that the operator has mapped to FAB roles:
those roles, and no others, are set on the user to what the token says.
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
        """Remember the operator's rules.

        Args:
            names: Object id (lower case) to user name, where that is not the object id itself.
            create_with_role: The one FAB role of users that are made on first sight; None makes none.
            role_mapping: App role to FAB role.
            cache_seconds: How long a user is used without looking again, as `[fab] cache_ttl`.
        """
        self._names = names
        self._create_with_role = create_with_role
        self._role_mapping = role_mapping
        self._cache: TTLCache[tuple[str, frozenset[str]], User] = TTLCache(maxsize=1024, ttl=cache_seconds)
        self._lock = threading.Lock()

    def user(self, identity: EntraIdentity, *, fresh: bool = False) -> User:
        """Give the active user that the identity acts as, detached from any session.

        Args:
            identity: Verified.
            fresh: Give an object that nobody else has, straight from the database.

        Raises:
            Refused: There is no such user and none may be made, or it is not active, or a configured role
            is missing. SQLAlchemyError: The database cannot be asked; Airflow answers 500.
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
        # Not the scoped session: these threads are not a request's, and nobody would remove theirs
        with create_session(scoped=False) as session:
            user = _find(session, name)
            if user is None:
                user = self._create(session, name, identity)
            if not user.is_active:
                raise Refused(f"FAB user {name!r} is not active")
            self._set_mapped_roles(session, user, mapped)
            for role in user.roles:
                _ = role.permissions  # loaded while there is a session
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
            f"{name}@email.notfound"  # unique and not empty; the provider's own form for the lack of one
        )
        user.active = True
        user.roles = [_role(session, self._create_with_role)]
        session.add(user)
        try:
            session.commit()
        except IntegrityError:  # another worker has just made it
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
    # Without regard to case, as the provider's own lookup and its unique index
    return session.scalars(select(User).where(func.lower(User.username) == name.lower())).one_or_none()


def _role(session: "Session", name: str) -> Role:
    role = session.scalars(select(Role).where(Role.name == name)).unique().one_or_none()
    if role is None:
        raise Refused(f"there is no FAB role {name!r}: create it with `airflow entra-role`")
    return role
