"""Which requests may go to an Airflow now: one budget for all instances, and a circuit breaker.

limiter         gives and takes back the slots of this process
adaptive_limit  how many slots latency allows
fair_queue      who waits for a slot, rule by rule
backlog         when an event that found no slot should come back
permits         which of the shared permits this process holds; pure
permit_store    what can be asked of the place where permits are kept
permit_blobs    permits as leases on blobs
breaker         leaves an Airflow alone that fails repeatedly
outage          an Airflow that does not answer, in words
"""
