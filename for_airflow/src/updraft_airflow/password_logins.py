"""Switches all of FAB's password logins off, in the methods that all of them call.

`POST /auth/token` and `/auth/token/cli`, the login form, FAB's own `/api/v1/security/login` and the backend
`basic_auth` ask the security manager's `auth_user_db` or `auth_user_ldap` (provider 3.10.2), with any
AUTH_TYPE: if people log in by OAuth, `/auth/token` still accepts the passwords of FAB's users.
`check_password` is refused for code of operators that calls it.
"""

import logging
from typing import Any

from flask_appbuilder.const import AUTH_DB, AUTH_LDAP

log = logging.getLogger(__name__)

REFUSED = (
    "Password logins are switched off ([entra_auth_manager] password_logins): send an Entra access token, or"
    " exchange one"
)


def switch_off(security_manager: Any) -> None:
    """Make a security manager refuse every password, also a correct one, without a database query.

    Args:
        security_manager: FAB's, or the subclass that SECURITY_MANAGER_CLASS names.
    """
    for name in ("auth_user_db", "auth_user_ldap", "check_password"):
        setattr(security_manager, name, _refuse)


def warn(security_manager: Any, *, password_logins: bool) -> None:
    """Log at the start if the option does not fit FAB's AUTH_TYPE.

    Args:
        security_manager: As above, within the context of its Flask app.
        password_logins: The option.
    """
    by_password = security_manager.auth_type in (AUTH_DB, AUTH_LDAP)
    if by_password and not password_logins:
        log.warning(
            "Nobody can log in to the UI: [entra_auth_manager] password_logins is off, and AUTH_TYPE in"
            " webserver_config.py is a login by password; set AUTH_TYPE = AUTH_OAUTH there"
        )
    if not by_password and password_logins:
        log.warning(
            "People do not log in by password here, but POST /auth/token still accepts passwords of FAB's"
            " users: set [entra_auth_manager] password_logins = False"
        )


def _refuse(*_: object, **_options: object) -> None:
    """Refuse the password."""
    log.info("A password login was refused: [entra_auth_manager] password_logins is off")
