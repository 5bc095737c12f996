"""One Airflow, with any version of its API.

connect          from a connection of rules.yaml to its client
client           finds the API version, and sends requests
version_question the question for Airflow's version
api              the requests of both versions of the REST API
api_v2, api_v1   the differences of Airflow 3 and Airflow 2
transport        sends a request with a credential, and renews a stale one
wire             sends one HTTP request; every failure becomes a response value
connections      whether a failed connection may have carried the request
connection_faults why no answer came, in words
response         what came back, or why nothing did
shapes           the forms of answers that Airflow documents
words            the words for people in an answer
failure_table    what a response means, as data
official_client  the official client without the modules that a run does not need
mwaa             the same requests through Amazon MWAA
links            addresses of a run
auth/            how the app signs in to an Airflow
"""
