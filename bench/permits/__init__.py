"""The sharing of permits between instances, simulated in virtual time.

simulation     many instances, one Airflow, one Storage
airflow_model  an Airflow as it was measured
event_model    events that arrive, wait and are parked
storage_model  leases as Azure keeps them
scaling        the table of docs/scaling.md
seeds          the figures of docs/decisions/0005, means of ten seeds
"""
