"""Describes this package for `airflow config` and `airflow providers`."""

from typing import Any

from updraft_airflow import __version__


def get_provider_info() -> dict[str, Any]:
    """Return the description, by `airflow/provider_info.schema.json`."""
    return {
        "package-name": "updraft-airflow",
        "name": "Updraft",
        "description": "Microsoft Entra tokens for the REST API, and reports on how runs ended.",
        "auth-managers": ["updraft_airflow.auth_manager.EntraFabAuthManager"],
        "cli": ["updraft_airflow.least_privilege.get_cli_commands"],
        "notifications": ["updraft_airflow.notifier.UpdraftNotifier"],
        "config": {
            "entra_auth_manager": {
                "description": "Which Entra tokens the REST API accepts, and their permissions.",
                "options": {
                    "tenant_id": _option("The GUID of the Entra tenant. Required.", "string"),
                    "audiences": _option(
                        "Client id and application ID URI of Airflow's app registration. Required.",
                        "string",
                        example="11111111-2222-3333-4444-555555555555,api://airflow",
                    ),
                    "app_roles": _option(
                        "App roles; a token must carry at least one.",
                        "string",
                        "Airflow.Trigger",
                    ),
                    "user_scopes": _option(
                        "Scopes; a user's token must carry one, and an app role. Empty: only applications"
                        " are allowed.",
                        "string",
                        "",
                        example="Runs.Start",
                    ),
                    "user_clients": _option("Client ids that users may use; empty: any.", "string", ""),
                    "authority": _option(
                        "The address where the tenant publishes its keys.",
                        "string",
                        "https://login.microsoftonline.com",
                    ),
                    "issuers": _option(
                        "The tenant's issuers, if they are not the public cloud's.",
                        "string",
                        "",
                    ),
                    "leeway": _option("Seconds that clocks may differ.", "float", "60"),
                    "keys_refresh": _option("Seconds between two fetches of the keys.", "float", "3600"),
                    "keys_longest_age": _option(
                        "Seconds that keys are used if they cannot be fetched again.", "float", "86400"
                    ),
                    "users": _option(
                        "JSON object, object id to FAB user name. Default: the user name is the object id.",
                        "string",
                        "{{}}",
                        example='{"99999999-8888-7777-6666-555555555555": "updraft"}',
                    ),
                    "create_users": _option(
                        "Whether unknown identities with the app role get a FAB user.", "boolean", "False"
                    ),
                    "role": _option("The one FAB role of users that are created.", "string", "Updraft"),
                    "role_dags": _option(
                        "DAG ids, with commas, that `role` may trigger; added at the start.", "string", ""
                    ),
                    "role_mapping": _option(
                        "JSON object, app role to FAB role; the user gets the token's roles.",
                        "string",
                        "{{}}",
                    ),
                    "password_logins": _option(
                        "Whether FAB accepts user names and passwords: at /auth/token, in the login form and"
                        " in basic authentication.",
                        "boolean",
                        "True",
                    ),
                },
            },
            "updraft": {
                "description": "The addresses that runs of Updraft may report to and read from.",
                "options": {
                    "callback_urls": _option(
                        "URL prefixes that run reports may be sent to, with commas. Empty: none is sent.",
                        "string",
                        "",
                        example="https://updraft.example/api/outcomes",
                    ),
                    "callback_scope": _option(
                        "Scope of the Entra token for callbacks without a run token.",
                        "string",
                        "",
                        example="api://updraft/.default",
                    ),
                    "windows_urls": _option(
                        "Containers that `whole_conf` may read, with commas. Empty: none is read.",
                        "string",
                        "",
                        example="https://contoso.blob.core.windows.net/updraft-windows",
                    ),
                },
            },
        },
    }


def _option(
    description: str, kind: str, default: str | None = None, *, example: str | None = None
) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": __version__,
        "type": kind,
        "example": example,
        "default": default,
    }
