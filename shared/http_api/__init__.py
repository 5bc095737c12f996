"""What answers HTTP; loaded only when a request comes.

api        makes the endpoints
runs       `POST dags/{dag_id}/runs`
events     `POST events`
webhooks   `POST hooks/{kind}`
outcomes   `POST outcomes`
status     `GET status`
run_reply  what a caller is told about a run
"""
