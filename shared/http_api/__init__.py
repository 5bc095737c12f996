"""What answers HTTP; loaded only when a request comes.

api          makes the endpoints
runs         `POST dags/{dag_id}/runs`
events       `POST events`
webhooks     `POST hooks/{kind}`
run_reports  `POST outcomes`
status       `GET status`
callers      token and rate, before anything of a call is read
refusals     the answer to each reason for which a caller is refused
run_reply    what a caller is told about a run
"""
