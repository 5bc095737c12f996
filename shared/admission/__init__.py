"""Limits the requests to an Airflow: one budget for all instances, and a circuit breaker.

limiter         the slots of this process
adaptive_limit  the number of slots that latency allows
fair_queue      the threads that wait for a slot, by rule
backlog         the delay of an event that got no slot
permits         the shared permits that this process holds; pure
permit_store    the calls to the store of permits
permit_blobs    permits as leases on blobs
breaker         leaves an Airflow alone that fails repeatedly
outage          an Airflow that does not answer, in words
"""
