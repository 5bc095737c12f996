"""How the app signs in to an Airflow: one file for each `kind` of `auth` in rules.yaml.

    source                    the token source for a connection's `auth`
    cached_token              the base of all kinds
    token_endpoint            the base of the kinds with a token endpoint
    entra, exchange, oidc, bearer, passwords, google, aws  the kinds

A new kind is a class in `rules/model/auth_kinds.py` or `auth_clouds.py`, a file here, and a line in `source`.
"""
