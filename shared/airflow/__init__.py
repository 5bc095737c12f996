"""One Airflow, whichever version of its API it speaks.

connect          from a connection of rules.yaml to its client
client           finds the API version, and asks
api_v2, api_v1   the requests of Airflow 3 and of Airflow 2
transport        sends one request; every failure becomes a response value
response         what came back, or why nothing did
failure_table    what a response means, as data
official_client  the official client without the modules that a run does not need
mwaa             the same requests through Amazon MWAA
links            where people find a run
auth/            how the app proves its identity to an Airflow
"""
