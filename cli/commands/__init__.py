"""One module for each command, by its name. Its `command` is a click command that returns the exit status.

explain       shows which rules match an event, and why
validate      checks rules.yaml, also against samples and each Airflow
schema        prints the JSON Schema of rules.yaml
subscription  prints the Event Grid subscription that the rules need
publish       sends events to an Event Grid topic
hook          posts a webhook's body to the app, for GitHub with a signature
replay        counts, shows and sends dead letters again
doctor        checks sign-in and permissions of each connection

A module imports at its top only what its definitions and its `--help` need. A function imports what its work
needs.
"""

from typing import Final

SUMMARIES: Final = {
    "explain": "show which rules match an event, and why",
    "validate": "check rules.yaml before it ships",
    "schema": "print the JSON Schema of rules.yaml",
    "subscription": "print an Event Grid subscription for the rules",
    "publish": "send events to Event Grid, and follow them to their runs",
    "hook": "post a webhook's body to the app, as its sender would",
    "replay": "count dead letters, show one, and send them again",
    "doctor": "check sign-in and permissions of each connection",
}
"""What each command does, in the order in which `updraft` lists the commands."""
