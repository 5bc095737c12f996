"""One Airflow, whichever version of its API it speaks.

connect          from a connection of rules.yaml to its client
client           finds the API version, and asks
version_question which Airflow is there
api              the requests that both versions of the REST API know
api_v2, api_v1   where Airflow 3 and Airflow 2 differ
transport        sends a request with a credential, and again where that is stale
wire             sends one HTTP request; every failure becomes a response value
connections      whether a failed connection may have carried the request
connection_faults why no answer came, in words
response         what came back, or why nothing did
shapes           the forms of answers that Airflow documents
words            the words for people in an answer
failure_table    what a response means, as data
official_client  the official client without the modules that a run does not need
mwaa             the same requests through Amazon MWAA
links            where people find a run
auth/            how the app proves its identity to an Airflow
"""
