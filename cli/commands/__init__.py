"""One module for each command, by its name. Its `command` is a click command that returns the exit status.

explain       which rules match an event, and why
validate      every mistake of rules.yaml, and what the rules do with samples
schema        the JSON Schema of rules.yaml
subscription  the Event Grid subscription that the rules need
publish       sends events to an Event Grid topic
hook          posts a webhook's body to the app, signed where GitHub would sign it
replay        counts, shows and sends dead letters again
doctor        which identity each connection uses, and what keeps its runs from starting

A module imports at its top only what its definitions and its `--help` need.
What the work needs is imported by the function that does it.
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
