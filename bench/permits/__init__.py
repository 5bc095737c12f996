"""The sharing of permits between instances, simulated in virtual time.

simulation     many instances, one Airflow, one Storage
airflow_model  a model of a measured Airflow
event_model    events that arrive, wait and are parked
storage_model  a model of leases in Azure
scaling        the table of docs/scaling.md
seeds          the figures of docs/decisions/0005, means of ten seeds
"""
