"""One module for each command, by its name. Its `command` is a click command that returns the exit status.

explain       which rules match an event, and why
validate      every mistake of rules.yaml, and what the rules do with samples
schema        the JSON Schema of rules.yaml
subscription  the Event Grid subscription that the rules need
publish       sends events to an Event Grid topic
replay        counts, shows and sends dead letters again
doctor        which identity each connection uses, and which role is missing

A module imports at its top only what its definitions and its `--help` need.
What the work needs is imported by the function that does it.
"""

from typing import Final

SUMMARIES: Final = {
    "explain": "say what the rules make of an event, and why",
    "validate": "check rules.yaml before it ships",
    "schema": "print the JSON Schema of rules.yaml",
    "subscription": "print what the Event Grid subscription needs: filter, retries, dead letters",
    "publish": "send events to an Event Grid topic",
    "replay": "count dead letters, show one, and send them again",
    "doctor": "find out why this app is not let in",
}
"""What each command does, in the order in which `updraft` lists the commands."""
