"""A DAG run as this app asks for it.

request      everything that Airflow is asked for
ids          the run id, computed from rule and event alone
direct_run   a run that a caller asks for by DAG name
provenance   `_updraft` in a run's conf: which rule, event and caller
ref          which run: connection, DAG, run id
claim_check  a conf that is too large is stored, and the run gets its address
"""
