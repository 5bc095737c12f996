"""The HTTP endpoints; loaded at the first request.

api          creates the endpoints
runs         `POST dags/{dag_id}/runs`
events       `POST events`
webhooks     `POST hooks/{kind}`
run_reports  `POST outcomes`
status       `GET status`
callers      checks token and rate before the body is read
refusals     the answer to each error about a caller
run_reply    the members of an answer about a run
"""
