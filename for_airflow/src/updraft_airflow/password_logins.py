"""Switches FAB's password logins off: all of them at the methods that every one of them calls.

`POST /auth/token` and `/auth/token/cli`, the login form, FAB's own `/api/v1/security/login` and the backend
`basic_auth` ask the security manager's `auth_user_db` or `auth_user_ldap` (provider 3.10.2), whatever
AUTH_TYPE is: where people log in by OAuth, `/auth/token` takes the passwords of FAB's users none the less.
`check_password` is there for the code of operators.
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
    """Make a security manager refuse every password, the right one as well, without looking at the user.

    Args:
        security_manager: FAB's, or the subclass that SECURITY_MANAGER_CLASS names.
    """
    for name in ("auth_user_db", "auth_user_ldap", "check_password"):
        setattr(security_manager, name, _refuse)


def warn(security_manager: Any, *, password_logins: bool) -> None:
    """Log at the start where the option and FAB's AUTH_TYPE do not go together.

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
            "People do not log in by password here, and POST /auth/token takes passwords of FAB's users none"
            " the less: set [entra_auth_manager] password_logins = False"
        )


def _refuse(*_: object, **_options: object) -> None:
    """Find no user, and no password right."""
    log.info("A password login was refused: [entra_auth_manager] password_logins is off")
