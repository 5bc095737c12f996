"""How the app proves its identity to an Airflow: one file for each `kind` of `auth` in rules.yaml.

    source                    the token source that a connection's `auth` asks for
    cached_token              what all kinds share
    token_endpoint            what the kinds with a token endpoint share
    entra, exchange, oidc, bearer, passwords, google, aws  the kinds

A new kind is a class in `rules/model/auth.py`, a file here, and a line in `source`.
"""
