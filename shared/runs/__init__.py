"""A DAG run as this app requests it.

request      the request for a run
ids          the run id, computed from rule and event alone
direct_run   a run that a caller asks for by DAG name
provenance   `_updraft` in a run's conf: which rule, event and caller
ref          the name of a run: connection, DAG, run id
claim_check  a conf that is too large: the run gets the address of the stored conf
"""
